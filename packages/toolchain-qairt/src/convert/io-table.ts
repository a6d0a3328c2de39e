/** The table of a composed graph's inputs and outputs, in the words of the port. */
import { printable } from '@tundish/diagnostics';
import { type CellId, type GraphIo, type IoTensor, type IoType, graphName } from '@tundish/toolchain';
import { composeError } from '../compose/errors.js';
import type { PlannedTensor, QnnGraphPlan } from '../compose/plan.js';
import { ELEMENT_CODES, elementName } from '../inspection/element-types.js';

const IO_TYPES: ReadonlyMap<number, IoType> = new Map([[ELEMENT_CODES.UFIXED_POINT_8, 'uint8'], [ELEMENT_CODES.UFIXED_POINT_16, 'uint16'], [ELEMENT_CODES.INT_32, 'int32'], [ELEMENT_CODES.FLOAT_16, 'float16']]);

/** Genie quantizes these by truncation. */
const ROUNDED_DOWN: ReadonlySet<string> = new Set(['position_ids_cos', 'position_ids_sin']);

/** @throws QAIRT_GRAPH_SHAPE for an element type that does not cross the port */
export function ioTable({ inputs, outputs }: QnnGraphPlan, cell: CellId): GraphIo {
  return { name: graphName(cell), cell, inputs: inputs.map(ioTensor), outputs: outputs.map(ioTensor) };
}

function ioTensor({ name, element, dims, quantization }: PlannedTensor): IoTensor {
  const dtype = IO_TYPES.get(element);
  if (dtype === undefined) throw composeError('QAIRT_GRAPH_SHAPE', { what: `${printable(name)} cannot be an input or output`, why: `its elements are ${elementName(element)}` });
  if (quantization?.kind !== 'scale_offset') return { name, dtype, shape: dims };
  return { name, dtype, shape: dims, quantization: { scale: quantization.scale, zeroPoint: 0 - quantization.offset, ...(ROUNDED_DOWN.has(name) ? { rounding: 'down' } : {}) } };
}
