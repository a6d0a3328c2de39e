/** What a decoder block is made of: its sizes, its linear layers and its gains, in fp32. */
import type { ScaleGrid } from '@tundish/native';

/** The linear layers of a block, by the names of Hugging Face Llama. */
export const LINEAR_ROLES = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;

export type LinearRole = (typeof LINEAR_ROLES)[number];

export interface BlockShape {
  readonly hidden: number;
  /** Query heads. */
  readonly heads: number;
  /** Key and value heads; divides `heads`. */
  readonly kvHeads: number;
  readonly headDim: number;
  readonly ffn: number;
  /** Epsilon of both norms. */
  readonly epsilon: number;
  /** Heads of queries and keys are multiplied by the Hadamard matrix of their size behind the rotary embedding. */
  readonly rotatesHeads?: true;
}

/** y = x · weightᵀ (+ bias). */
export interface Linear {
  /** [out, in]. */
  readonly weight: Float32Array;
  /** Of a quantized layer, what its weight stands for: int8 [out, in] on a grid. */
  readonly coded?: { readonly codes: Int8Array; readonly grid: ScaleGrid };
  /** [out]. */
  readonly bias?: Float32Array;
}

export interface BlockWeights {
  readonly linears: Readonly<Record<LinearRole, Linear>>;
  /** Gain of the norm before attention, [hidden]. */
  readonly attentionGain: Float32Array;
  /** Gain of the norm before the feed-forward network, [hidden]. */
  readonly mlpGain: Float32Array;
}

/** Rotation of positions 0.., [at least tokens, headDim/2]; any attention scaling is already inside. */
export interface RopeTables {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/** Rows and columns of the weight of a linear layer. */
export function linearDims(role: LinearRole, { hidden, heads, kvHeads, headDim, ffn }: BlockShape): { readonly out: number; readonly in: number } {
  switch (role) {
    case 'q_proj':
      return { out: heads * headDim, in: hidden };
    case 'k_proj':
    case 'v_proj':
      return { out: kvHeads * headDim, in: hidden };
    case 'o_proj':
      return { out: hidden, in: heads * headDim };
    case 'gate_proj':
    case 'up_proj':
      return { out: ffn, in: hidden };
    case 'down_proj':
      return { out: hidden, in: ffn };
  }
}

/** One value for each linear layer. */
export function perRole<Value>(make: (role: LinearRole) => Value): Record<LinearRole, Value> {
  return Object.fromEntries(LINEAR_ROLES.map((role) => [role, make(role)])) as Record<LinearRole, Value>;
}
