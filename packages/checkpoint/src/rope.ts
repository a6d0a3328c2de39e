/** What a config says about rotary position embeddings, in plain values: also what genie_config.json is written from. */

/** Unscaled: inv_i = theta^(-2i/D). */
export interface DefaultRope {
  readonly type: 'default';
  readonly theta: number;
}

/** Position interpolation: every frequency divided by `factor`. */
export interface LinearRope {
  readonly type: 'linear';
  readonly theta: number;
  readonly factor: number;
}

/** Llama 3.1 scaling: long wavelengths divided by `factor`, short ones kept, a blend between. */
export interface Llama3Rope {
  readonly type: 'llama3';
  readonly theta: number;
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  readonly originalMaxPositionEmbeddings: number;
}

/** YaRN (arXiv 2309.00071): a ramp between kept and divided frequencies; cos and sin carry `attentionFactor`. */
export interface YarnRope {
  readonly type: 'yarn';
  readonly theta: number;
  readonly factor: number;
  readonly originalMaxPositionEmbeddings: number;
  readonly betaFast: number;
  readonly betaSlow: number;
  /** Multiplies cos and sin; resolved from attention_factor, mscale and mscale_all_dim. */
  readonly attentionFactor: number;
  /** Whether the ends of the ramp are rounded to whole dimensions. */
  readonly truncate: boolean;
}

export type Rope = DefaultRope | LinearRope | Llama3Rope | YarnRope;
