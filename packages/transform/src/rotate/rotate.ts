/**
 * Rotates what a model computes with by Hadamard matrices, without a change of its function: outliers of single channels are
 * spread over all of them. Liu et al., "SpinQuant: LLM quantization with learned rotations", 2024, with fixed rotations.
 */
import { type Model, TUNDISH_DOMAIN, cloneModel } from '@tundish/graph';
import { findAttentions } from './find-attentions.js';
import { rotateQueriesAndKeys, rotateValues } from './rotate-heads.js';
import { rotateResidualStream } from './rotate-residual-stream.js';

/** Which rotations are made; each is independent of the others. */
export interface Rotations {
  /** The residual stream [hidden]: the embedding, and all that reads or writes the stream. Norms must have unit gains. */
  readonly r1: boolean;
  /** The heads of values [headDim], between v and o. */
  readonly r2: boolean;
  /** The heads of queries and keys [headDim] behind the rotary embedding, by a product in the graph. */
  readonly r3: boolean;
}

export interface RotateResult {
  readonly model: Model;
  /** Width of the rotated stream; absent without R1. */
  readonly hidden?: number;
  /** Attentions whose heads are rotated; 0 without R2 and R3. */
  readonly attentions: number;
}

/**
 * Weights become expressions over the bytes that they were; no weight byte is written. The head of a model whose head is its
 * embedding table gets an expression of its own. IO names and shapes stay; keys (R3) and values (R2) of the cache are rotated.
 *
 * @returns a new model, equal in function; the given one is not changed
 * @throws ROTATE_GAIN, ROTATE_STREAM, ROTATE_ATTENTION, GRAPH_HADAMARD
 */
export function rotate(source: Model, { r1, r2, r3 }: Rotations): RotateResult {
  const copy = cloneModel(source);
  const model = { ...copy, opsetImports: new Map([...copy.opsetImports, ...(r1 || r2 ? [[TUNDISH_DOMAIN, 1] as const] : [])]) };
  const attentions = r2 || r3 ? findAttentions(model.graph) : [];
  if (r2) for (const attention of attentions) rotateValues(attention);
  if (r3) for (const [index, attention] of attentions.entries()) rotateQueriesAndKeys(attention, index);
  const hidden = r1 ? rotateResidualStream(model.graph) : undefined;
  return { model, ...(hidden === undefined ? {} : { hidden }), attentions: attentions.length };
}
