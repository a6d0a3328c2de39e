/** Calibration text as model inputs: BOS and the next tokens, causal mask, one masked past position. */
import type { TensorData } from '@tundish/toolchain';
import type { Segment } from '../segments.js';

/** Additive value that leaves exactly nothing of a masked position in float32, whatever the model's scores. */
export const FLOAT_MASK = -1e9;
/** The same where it is a half float, which ends at 65504: far below every score, and a score added to it is still finite. */
export const FLOAT16_MASK = -10_000;

export interface CalibrationInputs {
  /** Token ids, every window of equal length T. */
  readonly windows: readonly Int32Array[];
  /** float32 [T, headDim/2] for positions 0..T-1. */
  readonly cos: Float32Array;
  readonly sin: Float32Array;
  readonly attentionScaling: number;
}

/** What `segment` reads for window `index`; the cache holds one position, which the mask hides. */
export function windowFeeds(calibration: CalibrationInputs, segment: Segment, index: number, stream: Float32Array | undefined): Map<string, TensorData> {
  const ids = calibration.windows[index] ?? new Int32Array();
  const feeds = new Map<string, TensorData>();
  for (const { name, shape } of segment.model.graph.inputs) {
    if (name === 'input_ids') feeds.set(name, ids);
    else if (name === 'attention_mask') feeds.set(name, causalMask(ids.length));
    else if (name === 'position_ids_cos') feeds.set(name, calibration.cos);
    else if (name === 'position_ids_sin') feeds.set(name, calibration.sin);
    else if (name === segment.input && stream !== undefined) feeds.set(name, stream);
    else feeds.set(name, new Float32Array((shape ?? []).reduce<number>((count, dim) => count * Number(dim), 1)));
  }
  return feeds;
}

/** Additive causal mask [1,1,T,T+1] whose first column (the past) is hidden. */
export function causalMask(tokens: number): Float32Array {
  const mask = new Float32Array(tokens * (tokens + 1)).fill(FLOAT_MASK);
  for (let row = 0; row < tokens; row++) mask.fill(0, row * (tokens + 1) + 1, row * (tokens + 1) + row + 2);
  return mask;
}
