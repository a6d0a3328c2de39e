/** Per-head form of the values inside attention, found by walking back from where the heads are joined. */
import type { Node, Value } from '@tundish/graph';
import { transformError } from '../errors.js';
import { type HeadGrid, gridOf, headAt, staticShape } from './head-grid.js';
import { copyForHeads, headName } from './naming.js';
import { type ProjectionState, packedProjection, splitOffHeads } from './project-heads.js';

/** Operators that treat every head alike once the head axes are gone. */
const PER_HEAD: ReadonlySet<string> = new Set(['Add', 'Sub', 'Mul', 'Div', 'Cast', 'Sigmoid', 'Neg', 'Softmax', 'Split', 'Concat', 'MatMul', 'RMSNormalization']);
/** Those of them that work along one axis, and the axis when none is given. */
const ALONG_AXIS: Readonly<Record<string, number>> = { Softmax: -1, Split: 0, Concat: 0, RMSNormalization: -1 };

export interface SplitState extends ProjectionState {
  /** Values that have been split. */
  readonly grids: Map<Value, HeadGrid>;
}

/**
 * The heads of `value`, or undefined when it has no head axis and all heads share it. Every value is split once, so the
 * query heads of a group read the same key and value heads.
 *
 * @throws SHA_PATTERN for an operator that mixes heads
 */
export function splitHeads(state: SplitState, value: Value): HeadGrid | undefined {
  const known = state.grids.get(value);
  if (known !== undefined) return known;
  const extent = gridOf(value);
  if (extent === undefined || value.tensor !== undefined) return undefined;
  const node = value.producer;
  if (node === undefined) return remember(state, value, splitInput(state, value, extent.groups));
  const packed = packedProjection(node);
  if (packed !== undefined) return remember(state, value, splitOffHeads(state, node, packed, extent.groups * extent.members));
  requirePerHead(node, value);
  copyByHead(state, node);
  return state.grids.get(value);
}

/** A cache that enters with all heads on axis 0 is cut once. */
function splitInput(state: SplitState, value: Value, groups: number): readonly Value[] {
  const names = Array.from({ length: groups }, (_, head) => headName(value.name, head));
  const attributes = { axis: { type: 'int', value: 0 }, num_outputs: { type: 'int', value: groups } } as const;
  const node = state.graph.addNode({ opType: 'Split', name: `${value.name}_sha`, inputs: [value], outputs: names, attributes });
  for (const output of node.outputs) {
    output.dtype = value.dtype;
    output.shape = [1, ...staticShape(value).slice(1)];
  }
  return node.outputs;
}

/** Copies `node` for every head of its outputs; each copy reads the heads that broadcasting would give it. */
function copyByHead(state: SplitState, node: Node): void {
  const operands = node.inputs.map((input) => (input === undefined ? undefined : splitHeads(state, input)));
  const { groups, members } = gridOf(node.output()) ?? { groups: 1, members: 1 };
  const inputsOf = (head: number): (Value | undefined)[] =>
    node.inputs.map((input, i) => {
      const grid = operands[i];
      return grid === undefined ? input : headAt(grid, Math.floor(head / members), head % members);
    });
  const copies = copyForHeads(state.graph, node, groups * members, inputsOf, (output) => [1, 1, ...staticShape(output).slice(2)]);
  node.outputs.forEach((output, i) => remember(state, output, copies.map((copy) => copy.output(i))));
}

function remember(state: SplitState, value: Value, heads: readonly Value[]): HeadGrid {
  const { groups, members } = gridOf(value) ?? { groups: 1, members: heads.length };
  const grid = { groups, members, heads };
  state.grids.set(value, grid);
  return grid;
}

function requirePerHead(node: Node, value: Value): void {
  const why = mixingReason(node, staticShape(value).length);
  if (why === undefined) return;
  throw transformError('SHA_PATTERN', { what: `${node.opType} ${node.name} cannot be rewritten head by head`, why });
}

function mixingReason(node: Node, rank: number): string | undefined {
  if (node.opType === 'Transpose') {
    const perm = node.ints('perm') ?? [];
    return perm[0] === 0 && perm[1] === 1 ? undefined : `it moves the head axes: perm [${perm}]`;
  }
  if (!PER_HEAD.has(node.opType) || node.domain !== '') return 'the operator is not known to keep heads apart';
  const standard = ALONG_AXIS[node.opType];
  if (standard === undefined) return undefined;
  const axis = node.int('axis') ?? standard;
  return (axis < 0 ? axis + rank : axis) >= 2 ? undefined : `it works along the head axis ${axis}`;
}
