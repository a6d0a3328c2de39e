/** RMSNormalization over the last axis: RmsNorm with a third input, since one of the supported builds needs it. */
import { type Tensor, type Value, sanitiseName } from '@tundish/graph';
import { storedElement } from '../element.js';
import { ELEMENT_CODES } from '../../inspection/element-types.js';
import { float, tensorParameter } from '../parameters.js';
import type { PlannedQuantization } from '../plan.js';
import { storedGrid } from '../stored-grid.js';
import { type ComposeNode, unsupportedForm } from './op.js';

/** Zeros have any scale; this one is small beside every activation. */
const ZERO: PlannedQuantization = { kind: 'scale_offset', scale: Math.fround(1e-9), offset: 0 };
/** The default of ONNX. */
const EPSILON = 1e-5;

export const composeRmsNorm: ComposeNode = (composition, node) => {
  const [x, gain] = [node.input(0), node.input(1)];
  const axis = composition.axis(x, node.int('axis') ?? -1);
  const codes = gainCodes(gain);
  if (axis !== 3) throw unsupportedForm(node, `axis ${axis} of four`, 'norms go along the last axis');
  if (codes === undefined) throw unsupportedForm(node, `its gain ${gain.name} has no codes of 8 or 16 bits`, 'quantize the gains of norms');
  const { tensor, element, name } = codes;
  const gamma = composition.constant(name, { element, dims: tensor.dims, quantization: codes.quantization, data: { stored: tensor } });
  const beta = composition.constant(`${sanitiseName(name)}_beta`, { element: ELEMENT_CODES.SFIXED_POINT_32, dims: tensor.dims, quantization: ZERO, data: { values: new Int32Array(tensor.dims[0] ?? 0) } });
  composition.make(node.output(), {
    type: 'RmsNorm', inputs: [composition.tensorOf(x), gamma, beta],
    parameters: [float('epsilon', node.float('epsilon') ?? EPSILON), tensorParameter('axes', [1], Uint32Array.of(axis))],
  });
};

interface GainCodes {
  readonly name: string;
  readonly tensor: Tensor;
  readonly element: number;
  readonly quantization: PlannedQuantization;
}

function gainCodes({ producer }: Value): GainCodes | undefined {
  const grid = producer === undefined ? undefined : storedGrid(producer);
  const codes = producer?.inputs[0];
  const element = codes?.tensor === undefined ? undefined : storedElement(codes.tensor.dtype);
  if (codes?.tensor?.dims.length !== 1 || grid === undefined || element === undefined) return undefined;
  return { name: codes.name, tensor: codes.tensor, element, quantization: grid };
}
