/** RMSNormalization over the last axis: RmsNorm with a third input, since one of the supported builds needs it. */
import { type Tensor, type Value, sanitiseName } from '@tundish/graph';
import type { Composition } from '../composition.js';
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
  const isHalf = composition.encodingOf(x) === 'float16';
  if (axis !== 3) throw unsupportedForm(node, `axis ${axis} of four`, 'norms go along the last axis');
  if (codes === undefined) throw unsupportedForm(node, `its gain ${gain.name} has no codes of 8 or 16 bits`, 'quantize the gains of norms');
  const { gamma, beta } = (isHalf ? halfConstants : codedConstants)(composition, codes);
  composition.make(node.output(), {
    type: 'RmsNorm', inputs: [composition.tensorOf(x), gamma, beta],
    parameters: [float('epsilon', node.float('epsilon') ?? EPSILON), tensorParameter('axes', [1], Uint32Array.of(axis))],
  });
};

interface Gain {
  readonly gamma: string;
  readonly beta: string;
}

function codedConstants(composition: Composition, { tensor, element, name, quantization }: GainCodes): Gain {
  const { dims } = tensor;
  return {
    gamma: composition.constant(name, { element, dims, quantization, data: { stored: tensor } }),
    beta: composition.constant(betaName(name), { element: ELEMENT_CODES.SFIXED_POINT_32, dims, quantization: ZERO, data: { values: new Int32Array(dims[0] ?? 0) } }),
  };
}

function halfConstants(composition: Composition, { tensor, name, quantization: { scale, offset } }: GainCodes): Gain {
  const [element, { dims }] = [ELEMENT_CODES.FLOAT_16, tensor];
  return {
    gamma: composition.constant(name, { element, dims, data: { reals: tensor, scale, offset } }),
    beta: composition.constant(betaName(name), { element, dims, data: { values: new Uint16Array(dims[0] ?? 0) } }),
  };
}

function betaName(name: string): string {
  return `${sanitiseName(name)}_beta`;
}

interface GainCodes {
  readonly name: string;
  readonly tensor: Tensor;
  readonly element: number;
  readonly quantization: PlannedQuantization & { readonly kind: 'scale_offset' };
}

function gainCodes({ producer }: Value): GainCodes | undefined {
  const grid = producer === undefined ? undefined : storedGrid(producer);
  const codes = producer?.inputs[0];
  const element = codes?.tensor === undefined ? undefined : storedElement(codes.tensor.dtype);
  if (codes?.tensor?.dims.length !== 1 || grid === undefined || element === undefined) return undefined;
  return { name: codes.name, tensor: codes.tensor, element, quantization: grid };
}
