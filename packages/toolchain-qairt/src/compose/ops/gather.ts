/** Gather of the embedding: Gather of codes from the table, a Reshape to four axes, and a Convert from a table of 8 bits, or a Dequantize to half floats. */
import { type DataType, type PerTensorEncoding, type Value, dataTypeName, sanitiseName } from '@tundish/graph';
import { type Composition, staticDims } from '../composition.js';
import { negated, storedElement } from '../element.js';
import { ELEMENT_CODES } from '../../inspection/element-types.js';
import { signed } from '../parameters.js';
import { storedGrid } from '../stored-grid.js';
import { type ComposeNode, unsupportedForm } from './op.js';

/** Rows of stored codes; the DequantizeLinear behind it says their grid and makes the value. */
export const composeGather: ComposeNode = (composition, node) => {
  const [table, ids] = [node.input(0), node.input(1)];
  const element = table.tensor === undefined ? undefined : storedElement(table.tensor.dtype);
  const [reader, ...others] = node.output().uses;
  const grid = reader === undefined ? undefined : storedGrid(reader.node);
  if (table.tensor === undefined || element === undefined || (node.int('axis') ?? 0) !== 0) throw unsupportedForm(node, 'it does not read rows of a constant table of 8 or 16 bits');
  if (reader === undefined || others.length > 0 || grid === undefined) throw unsupportedForm(node, 'what it gives has no grid', 'quantize the embedding table');
  const value = reader.node.output();
  const isEight = element === ELEMENT_CODES.UFIXED_POINT_8;
  const isHalf = composition.encodingOf(value) === 'float16';
  const rows = isHalf ? tableGrid(grid, table.tensor.dtype) : gridOf(composition, value, grid, isEight);
  if (rows === undefined) throw unsupportedForm(node, 'its rows have another encoding than its table', 'give both one encoding');
  const name = sanitiseName(value.name);
  const codes = composition.constant(table.name, { element, dims: table.tensor.dims, quantization: grid, data: { stored: table.tensor } });
  const flat = composition.internal(`${name}_rows`, staticDims(value), rows);
  composition.operate({ type: 'Gather', inputs: [codes, composition.tensorOf(ids)], parameters: [signed('axis', 0)] }, flat);
  if (rows.dtype === 'uint16' && !isHalf) return composition.make(value, { type: 'Reshape', inputs: [flat] });
  const spread = composition.internal(`${name}_codes`, composition.dims(value), rows);
  composition.operate({ type: 'Reshape', inputs: [flat] }, spread);
  composition.make(value, { type: isHalf ? 'Dequantize' : 'Convert', inputs: [spread] });
};

function tableGrid({ scale, offset }: TableGrid, codes: DataType): PerTensorEncoding {
  return { kind: 'per-tensor', dtype: dataTypeName(codes).toLowerCase() as PerTensorEncoding['dtype'], scale, zeroPoint: negated(offset), symmetric: false };
}

interface TableGrid {
  readonly scale: number;
  readonly offset: number;
}

/** The table's own grid, when the value is on it, or holds the same reals at 16 bits. */
function gridOf(composition: Composition, value: Value, { scale, offset }: TableGrid, isEight: boolean): PerTensorEncoding | undefined {
  const encoding = composition.encodingOf(value);
  const steps = isEight ? 256 : 1;
  if (encoding === 'float16' || encoding.scale * steps !== scale || encoding.zeroPoint !== negated(offset) * steps) return undefined;
  return isEight ? { ...encoding, dtype: 'uint8', scale, zeroPoint: encoding.zeroPoint / steps } : encoding;
}

/** Behind a Gather all is done; elsewhere codes are widened for an operator that the compiler does not have. */
export const composeDequantize: ComposeNode = (_composition, node) => {
  if (node.input(0).producer?.opType !== 'Gather') throw unsupportedForm(node, 'it widens an activation');
};
