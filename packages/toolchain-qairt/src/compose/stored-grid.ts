/** The grid of a whole tensor of stored codes, as quantize writes it: DequantizeLinear with an inline scale and zero point. */
import { DataType, type Node, type Tensor } from '@tundish/graph';
import type { QnnQuantization } from '@tundish/native/qnn';
import { negated } from './element.js';

/** Undefined when `node` is something else, or its scale is not one number. */
export function storedGrid(node: Node): (QnnQuantization & { readonly kind: 'scale_offset' }) | undefined {
  if (node.opType !== 'DequantizeLinear') return undefined;
  const scale = numberIn(node.inputs[1]?.tensor);
  const zeroPoint = node.inputs[2] === undefined ? 0 : numberIn(node.inputs[2].tensor);
  return scale === undefined || zeroPoint === undefined ? undefined : { kind: 'scale_offset', scale, offset: negated(zeroPoint) };
}

function numberIn(tensor: Tensor | undefined): number | undefined {
  if (tensor?.kind !== 'inline' || tensor.dims.some((dim) => dim !== 1)) return undefined;
  const view = new DataView(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  switch (tensor.dtype) {
    case DataType.FLOAT: return view.getFloat32(0, true);
    case DataType.UINT8: return view.getUint8(0);
    case DataType.UINT16: return view.getUint16(0, true);
    case DataType.INT8: return view.getInt8(0);
    case DataType.INT16: return view.getInt16(0, true);
    default: return undefined;
  }
}
