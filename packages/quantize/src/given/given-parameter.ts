/** The parameters that need a grid, as a model that was quantized elsewhere has to bring it. */
import type { Graph } from '@tundish/graph';
import { quantizedKey } from '../graph-form.js';
import { type Parameter, findParameters } from '../parameters.js';

export interface GivenParameter {
  /** `quantizedKey` of the parameter. */
  readonly key: string;
  /** Name in encodings files: a tied head has that which it would have untied. */
  readonly name: string;
  readonly kind: 'projection' | 'head' | 'embedding' | 'gain';
  /** Of the weight as `[out, in]`; a vector is one row. */
  readonly rows: number;
  readonly columns: number;
  readonly parameter: Parameter;
}

/** Without biases, which stay in floating point, and rotations, whose entries the pipeline makes itself. */
export function givenParameters(graph: Graph): GivenParameter[] {
  return findParameters(graph).flatMap((parameter) => {
    const { role, name, root, consumers } = parameter;
    if (role === 'bias' || role === 'rotation') return [];
    const isHead = role === 'projection' && consumers.some((node) => graph.outputs.some((output) => output.name === 'logits' && output === node.output()));
    const dims = (root.shape ?? []).map(Number);
    return [{ key: quantizedKey(parameter), name: isHead ? 'lm_head.weight' : name, kind: isHead ? 'head' : role, rows: dims.length < 2 ? 1 : (dims[0] as number), columns: dims.at(-1) ?? 1, parameter }];
  });
}
