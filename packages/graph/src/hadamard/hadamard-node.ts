/** The operator `tundish:Hadamard`: groups of neighbours along one axis, each times H / √size. */
import type { Graph } from '../graph.js';
import type { Node, Value } from '../node.js';
import { hadamard } from './hadamard.js';

/** Domain of the operators that are our own. */
export const TUNDISH_DOMAIN = 'tundish';

/** What one rotation does: every group of `size` neighbours along `axis` becomes v H / √size. */
export interface Rotation {
  readonly axis: number;
  /** Divides the axis. */
  readonly size: number;
}

/** The rotation that `node` is, undefined for every other operator. The axis is as in the node, not negative. */
export function rotationOf(node: Node): Rotation | undefined {
  if (node.domain !== TUNDISH_DOMAIN || node.opType !== 'Hadamard') return undefined;
  return { axis: node.int('axis') ?? 0, size: node.int('size') ?? 0 };
}

/**
 * Adds the node behind `value`, whose type and shape are known. The model has to import `TUNDISH_DOMAIN`.
 *
 * @returns the rotated value
 * @throws GRAPH_HADAMARD
 */
export function addRotation(graph: Graph, value: Value, { axis, size }: Rotation, name: string): Value {
  hadamard(size);
  const attributes = { axis: { type: 'int', value: axis }, size: { type: 'int', value: size } } as const;
  const output = graph.addNode({ opType: 'Hadamard', domain: TUNDISH_DOMAIN, name: graph.uniqueName(name), inputs: [value], attributes }).output();
  output.dtype = value.dtype;
  output.shape = value.shape;
  return output;
}
