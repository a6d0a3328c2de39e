/** Which encoding the codes of a value have without any work: data-movement ops keep that of their input. */
import { DataType, type Node, type PerTensorEncoding, type Value, movedInputs } from '@tundish/graph';
import { sameGrid } from './grid-constants.js';

/** Encoding that an output of `node` has by construction, or undefined when the op computes or its inputs disagree. */
export function inheritedEncoding(node: Node, carried: ReadonlyMap<Value, PerTensorEncoding>): PerTensorEncoding | undefined {
  if (node.opType === 'DequantizeLinear') return explicitGrid(node);
  const [first, ...rest] = (movedInputs(node) ?? []).map((source) => (source === undefined ? undefined : carried.get(source)));
  return rest.every((other) => sameGrid(first, other)) ? first : undefined;
}

/** Grid of a DequantizeLinear with inline scalar scale and zero point, as the embedding has it. */
function explicitGrid(node: Node): PerTensorEncoding | undefined {
  const codes = node.input(0).dtype;
  const dtype = codes === DataType.UINT16 ? 'uint16' : codes === DataType.UINT8 ? 'uint8' : undefined;
  const scale = node.input(1).tensor;
  const zero = node.inputs[2]?.tensor;
  if (dtype === undefined || scale?.kind !== 'inline' || scale.dims.length > 0 || zero?.kind !== 'inline') return undefined;
  const zeroView = new DataView(zero.data.buffer, zero.data.byteOffset);
  const scaleView = new DataView(scale.data.buffer, scale.data.byteOffset);
  const zeroPoint = dtype === 'uint16' ? zeroView.getUint16(0, true) : zeroView.getUint8(0);
  return { kind: 'per-tensor', dtype, scale: scaleView.getFloat32(0, true), zeroPoint, symmetric: false };
}
