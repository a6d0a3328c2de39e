/** Inputs and outputs of a plan as the port states them, in the plan's own names. */
import { type CellId, type GraphIo, type IoTensor, type IoType } from '@tundish/toolchain';
import { printable } from '@tundish/diagnostics';
import { composeError } from '../compose/errors.js';
import type { PlannedTensor, QnnGraphPlan } from '../compose/plan.js';
import { ELEMENT_CODES } from '../inspection/element-types.js';
import { gridOf } from './operand.js';

const IO_TYPES: ReadonlyMap<number, IoType> = new Map([
  [ELEMENT_CODES.UFIXED_POINT_8, 'uint8'], [ELEMENT_CODES.UFIXED_POINT_16, 'uint16'], [ELEMENT_CODES.INT_32, 'int32'], [ELEMENT_CODES.FLOAT_32, 'float32'],
]);

/** @throws QAIRT_GRAPH_SHAPE for elements that no caller can give */
export function planIo({ name, inputs, outputs }: QnnGraphPlan, cell: CellId): GraphIo {
  return { name, cell, inputs: inputs.map(ioTensor), outputs: outputs.map(ioTensor) };
}

function ioTensor(tensor: PlannedTensor): IoTensor {
  const dtype = IO_TYPES.get(tensor.element);
  const grid = gridOf(tensor);
  if (dtype === undefined) throw composeError('QAIRT_GRAPH_SHAPE', { what: `${printable(tensor.name)} has elements that are neither codes of 8 or 16 unsigned bits nor integers`, why: 'inputs and outputs of a graph are codes of activations or token ids' });
  return { name: tensor.name, dtype, shape: tensor.dims, ...(grid === undefined ? {} : { quantization: { scale: grid.scale, zeroPoint: grid.offset === 0 ? 0 : -grid.offset } }) };
}
