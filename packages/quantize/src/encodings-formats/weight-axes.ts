/** Which axis of a stored weight holds output channels and which one blocks divide: the operator that reads it decides. */
import type { Graph, Node, Use, Value } from '@tundish/graph';

export interface WeightAxes {
  /** Of the weight as it is stored. */
  readonly dims: readonly number[];
  readonly channel: number;
  /** Undefined for a vector. */
  readonly block: number | undefined;
  /** The operator that multiplies by it, or gathers from it; undefined for a vector. */
  readonly reader: Node | undefined;
}

/** Operators on the way from codes to the operator that multiplies, by the input that carries the weight. */
const PASSED: ReadonlySet<string> = new Set(['Cast', 'DequantizeLinear', 'QuantizeLinear']);

/** Axes of the initializer `name`; undefined when it is none, or when no reader tells. */
export function weightAxes(graph: Graph, name: string): WeightAxes | undefined {
  const start = graph.find(name);
  const dims = start?.tensor?.dims;
  if (start === undefined || dims === undefined) return undefined;
  if (dims.length < 2) return dims.length === 1 ? { dims, channel: 0, block: undefined, reader: undefined } : undefined;
  let value: Value = start;
  // Axis i of `value` is axis order[i] of the stored tensor.
  let order = dims.map((_, axis) => axis);
  for (;;) {
    const use = value.uses.find(({ node, index }) => index === 0 || !PASSED.has(node.opType));
    if (use === undefined) return undefined;
    const { node } = use;
    if (node.opType === 'Transpose') {
      const perm = node.ints('perm') ?? order.map((_, axis) => order.length - 1 - axis);
      order = perm.map((axis) => order[axis] ?? 0);
    } else if (!PASSED.has(node.opType)) {
      return axesAt(use, dims, order);
    }
    value = node.output();
  }
}

function axesAt({ node, index }: Use, dims: readonly number[], order: readonly number[]): WeightAxes | undefined {
  const pair = readAxes(node, index, order.length);
  const [channel, block] = pair?.map((axis) => order[axis]) ?? [];
  return channel === undefined || block === undefined ? undefined : { dims, channel, block, reader: node };
}

/** [output channels, input channels] of an operand. */
function readAxes(node: Node, index: number, rank: number): readonly [number, number] | undefined {
  switch (node.opType) {
    case 'MatMul': return index === 1 ? [rank - 1, rank - 2] : [rank - 2, rank - 1];
    case 'Gemm': return (node.int(index === 1 ? 'transB' : 'transA') ?? 0) === (index === 1 ? 1 : 0) ? [0, 1] : [1, 0];
    case 'Conv': return index === 1 ? [0, 1] : undefined;
    case 'ConvTranspose': return index === 1 ? [1, 0] : undefined;
    case 'Gather': return index === 0 && (node.int('axis') ?? 0) === 0 ? [0, 1] : undefined;
    default: return undefined;
  }
}
