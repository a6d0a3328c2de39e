/** The table of a lowered graph's inputs and outputs, and the rule that a cache comes back in the grid it went out. */
import { printable } from '@tundish/diagnostics';
import { DataType, type PerTensorEncoding, type Value, dataTypeName } from '@tundish/graph';
import { type CellId, type GraphIo, type IoTensor, type IoType, graphName } from '@tundish/toolchain';
import { hostError } from '../errors.js';
import { sameGrid } from './grid-constants.js';
import type { Numerics } from './arithmetic.js';
import type { Lowered } from './lower-graph.js';

const IO_TYPES = new Map<DataType, IoType>([
  [DataType.FLOAT, 'float32'],
  [DataType.UINT8, 'uint8'],
  [DataType.UINT16, 'uint16'],
  [DataType.INT32, 'int32'],
]);

/** The vendor's runner makes codes of these tables by cutting off, not by rounding. */
const TRUNCATED: ReadonlySet<string> = new Set(['position_ids_cos', 'position_ids_sin']);

/**
 * @param numerics that of the lowering
 * @throws HOST_GRAPH_TYPE for a type that does not cross the port, or a shape that is not static
 * @throws HOST_KV_ENCODING when past_*_in and past_*_out of a layer differ
 */
export function ioTable(lowered: Lowered, cell: CellId, numerics: Numerics = 'exact'): GraphIo {
  assertTiedCaches(lowered.boundary);
  const { inputs, outputs } = lowered.model.graph;
  const row = (value: Value): IoTensor => ioTensor(value, lowered.boundary.get(value.name));
  const input = (value: Value): IoTensor => (numerics === 'htp' && TRUNCATED.has(value.name) ? roundedDown(row(value)) : row(value));
  return { name: graphName(cell), cell, inputs: inputs.map(input), outputs: outputs.map(row) };
}

function roundedDown({ quantization, ...tensor }: IoTensor): IoTensor {
  return quantization === undefined ? tensor : { ...tensor, quantization: { ...quantization, rounding: 'down' } };
}

function ioTensor(value: Value, encoding: PerTensorEncoding | undefined): IoTensor {
  const dtype = value.dtype === undefined ? undefined : IO_TYPES.get(value.dtype);
  const shape = value.shape ?? ['?'];
  const dims = shape.filter((dim) => typeof dim === 'number');
  if (dtype === undefined || dims.length !== shape.length) {
    throw hostError('HOST_GRAPH_TYPE', {
      what: `${printable(value.name)} cannot be an input or output: ${dataTypeName(value.dtype ?? 0)} [${shape}]`,
      why: `a compiled graph has static shapes and the types ${[...IO_TYPES.values()].join(', ')}`,
    });
  }
  const head = { name: value.name, dtype, shape: dims };
  if (encoding === undefined) return head;
  const { scale, zeroPoint, headScales } = encoding;
  return { ...head, quantization: { scale, zeroPoint, ...(headScales === undefined ? {} : { headScales }) } };
}

function assertTiedCaches(boundary: ReadonlyMap<string, PerTensorEncoding>): void {
  for (const [name, input] of boundary) {
    const output = /^past_(key|value)_\d+_in$/.test(name) ? boundary.get(name.replace(/_in$/, '_out')) : undefined;
    if (output === undefined || sameGrid(input, output)) continue;
    throw hostError('HOST_KV_ENCODING', {
      what: `${name} and ${name.replace(/_in$/, '_out')} have different encodings`,
      why: 'a runner copies cache codes from output to input without looking at them',
      evidence: { detail: `scale ${input.headScales ?? input.scale} and ${output.headScales ?? output.scale}, zero point ${input.zeroPoint} and ${output.zeroPoint}` },
      fix: 'give both names one encoding',
    });
  }
}
