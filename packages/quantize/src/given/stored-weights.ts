/** The floating-point constants of an ONNX file made elsewhere, with who reads each: exporters name them as they like. */
import { DataType, type Graph, type Node, type Use, type Value } from '@tundish/graph';
import { isMovement } from './movement.js';

export interface StoredWeight {
  readonly value: Value;
  /** The node that computes with it, behind any movement. */
  readonly reader: Node;
  /** As which input. */
  readonly index: number;
}

const FLOATS: ReadonlySet<DataType | undefined> = new Set([DataType.FLOAT, DataType.FLOAT16, DataType.BFLOAT16]);

/** In the order of the file; a tied table once for each reader. */
export function storedWeights(graph: Graph): StoredWeight[] {
  return graph.initializers.flatMap((value) => {
    if (!FLOATS.has(value.dtype) || (value.tensor?.dims.length ?? 0) === 0) return [];
    return computingUses(value).map(({ node, index }) => ({ value, reader: node, index }));
  });
}

function computingUses(value: Value): Use[] {
  return value.uses.flatMap((use) => (isMovement(use.node) && use.index === 0 ? computingUses(use.node.output()) : [use]));
}

/** Whether it is the weight of a linear layer. */
export function isLinearWeight({ reader, index, value }: StoredWeight): boolean {
  return index === 1 && ['MatMul', 'Gemm', 'Conv'].includes(reader.opType) && (value.tensor?.dims.length ?? 0) > 1;
}

/**
 * Names that it may go by: its own; and, since `torch.onnx.export` calls folded weights `onnx::MatMul_42`, that of a
 * parameter of the module in which its reader is: `/model/layers.0/mlp/up_proj/MatMul` reads `…mlp.up_proj.weight`.
 */
export function namesOf(stored: StoredWeight): readonly string[] {
  const { reader, index } = stored;
  const isBias = reader.opType === 'Add' || index === 2;
  const module = reader.name.split('/').slice(0, -1).join('/');
  return [stored.value.name, ...(module === '' ? [] : [`${module}.${isBias ? 'bias' : 'weight'}`])];
}
