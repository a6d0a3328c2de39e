/** Cuts a model into the pieces that quantization walks: the embedding, each decoder block, the head. */
import { type Model, extractGraph } from '@tundish/graph';

/** Names of the residual stream between the pieces; `boundaries[i]` enters block i, the last one leaves the last block. */
export interface SegmentPlan {
  readonly boundaries: readonly string[];
}

export interface Segment {
  /** `embedding`, `block-0`, …, `lm_head`: also the name of its weight file. */
  readonly name: string;
  readonly model: Model;
  /** Stream value that enters; undefined for the embedding, which reads token ids. */
  readonly input: string | undefined;
  /** Value that leaves. */
  readonly output: string;
  /** The head reads what leaves. */
  readonly entersHead: boolean;
}

/** The segment at `index` of `boundaries.length + 1`: only one is in memory at a time. */
export function segmentAt(model: Model, plan: SegmentPlan, index: number): Segment {
  const { boundaries } = plan;
  const last = boundaries.length;
  const input = index === 0 ? undefined : boundaries[index - 1];
  const output = index === last ? 'logits' : (boundaries[index] as string);
  const name = index === 0 ? 'embedding' : index === last ? 'lm_head' : `block-${index - 1}`;
  const inputs = model.graph.inputs.map((value) => value.name);
  return { name, input, output, entersHead: index === last - 1, model: extractGraph(model, input === undefined ? inputs : [...inputs, input], [output]) };
}

export function segmentCount(plan: SegmentPlan): number {
  return plan.boundaries.length + 1;
}
