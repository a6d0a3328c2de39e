/** Rules about weights, biases and norm gains. */
import type { Node } from '@tundish/graph';
import type { TensorEncoding } from '../encodings-formats/document.js';
import { weightAxes } from '../encodings-formats/weight-axes.js';
import type { LintRule } from './finding.js';
import { type LintView, encodingText, isSymmetric } from './view.js';

const PRODUCTS: ReadonlySet<string> = new Set(['MatMul', 'Gemm', 'Conv', 'ConvTranspose']);
/** Widths that integer products are tuned for; the head may have more. */
const [WEIGHT_BITS, HEAD_BITS] = [[4, 8], [4, 8, 16]];
const HEAD = /lm_head/;
/** Weights of adapters have rules of their own. */
const ADAPTER = /lora/i;
/** Scales are float32 products. */
const BIAS_TOLERANCE = 1e-5;

/** Weights that a product reads, with that product. */
export function* multiplied({ graph, parameters }: LintView): Generator<readonly [string, TensorEncoding, Node]> {
  for (const [name, encoding] of parameters) {
    const reader = weightAxes(graph, name)?.reader;
    if (reader !== undefined && PRODUCTS.has(reader.opType)) yield [name, encoding, reader];
  }
}

export const weightSymmetric: LintRule = {
  name: 'weight-symmetric',
  asks: 'weights of products are symmetric',
  host: 'codes with any zero point are multiplied',
  *check(view) {
    for (const [name, encoding] of multiplied(view)) {
      if (!isSymmetric(encoding)) yield { tensor: name, severity: 'error', what: `is a weight of ${encodingText(encoding)} that is not symmetric`, fix: 'quantize it symmetrically: offset -2^(bits-1)' };
    }
  },
};

export const weightWidth: LintRule = {
  name: 'weight-width',
  asks: 'weights of products have 4 or 8 bits, those of the head 4, 8 or 16',
  host: 'other widths run as slowly as floating point',
  *check(view) {
    for (const [name, encoding] of multiplied(view)) {
      if (encoding.kind === 'float' || ADAPTER.test(name)) continue;
      const bits = encoding.kind === 'lpbq' ? encoding.bits : encoding.grid.bits;
      const known = HEAD.test(name) ? HEAD_BITS : WEIGHT_BITS;
      if (!known.includes(bits)) yield { tensor: name, severity: 'warning', what: `has ${bits} bits`, fix: `use ${known.join(' or ')}` };
    }
  },
};

export const floatBlocks: LintRule = {
  name: 'float-blocks',
  asks: 'float scales of blocks go with activations in floating point',
  host: 'integer activations are multiplied with them all the same',
  *check(view) {
    for (const [name, encoding, reader] of multiplied(view)) {
      const input = view.activations.get(reader.inputs[0]?.name ?? '');
      if (encoding.kind === 'per-block' && input !== undefined && input.kind !== 'float') yield { tensor: name, severity: 'error', what: `has float scales of blocks, and its input ${reader.input(0).name} is ${encodingText(input)}`, fix: 'use LPBQ, whose block scales are integers' };
    }
  },
};

export const normGain: LintRule = {
  name: 'norm-gain',
  asks: 'gains of RMSNormalization have 16 bits where activations have',
  host: 'gains stay in floating point',
  *check({ graph, activations, parameters }) {
    for (const node of graph.nodes.filter(({ opType }) => opType === 'RMSNormalization')) {
      const [gain, input] = [parameters.get(node.inputs[1]?.name ?? ''), activations.get(node.inputs[0]?.name ?? '')];
      if (gain === undefined || gain.kind === 'float' || input === undefined || input.kind === 'float') continue;
      const widths = [gain, input].map((encoding) => ('grid' in encoding ? encoding.grid.bits : encoding.kind === 'lpbq' ? encoding.bits : 0));
      if (widths[1] === 16 && widths[0] !== 16) yield { tensor: node.input(1).name, severity: 'error', what: `is a gain of ${widths[0]} bits beside activations of 16: device compilers refuse the pair`, fix: 'give the gain 16 bits' };
    }
  },
};

export const biasScale: LintRule = {
  name: 'bias-scale',
  asks: 'an int32 bias has the scale of the input times that of the weight, for LPBQ that of the channel',
  host: 'biases stay in floating point',
  *check({ graph, activations, parameters }) {
    for (const node of graph.nodes.filter(({ opType }) => opType === 'Gemm' || opType === 'Conv')) {
      const [input, weight, bias] = [activations.get(node.inputs[0]?.name ?? ''), parameters.get(node.inputs[1]?.name ?? ''), parameters.get(node.inputs[2]?.name ?? '')];
      const channels = weight === undefined ? undefined : channelScales(weight);
      if (bias?.kind !== 'per-channel' || bias.grid.bits !== 32 || input?.kind !== 'per-tensor' || channels === undefined) continue;
      const wrong = bias.scale.findIndex((scale, i) => !(Math.abs(scale / (input.scale * (channels[channels.length === 1 ? 0 : i] ?? NaN)) - 1) <= BIAS_TOLERANCE));
      if (wrong >= 0) yield { tensor: node.input(2).name, severity: 'error', what: `has the scale ${bias.scale[wrong]} in channel ${wrong}, the accumulator has another`, fix: 'multiply the scales of input and weight' };
    }
  },
};

/** Scale of each output channel of the accumulator; undefined where blocks have float scales. */
function channelScales(weight: TensorEncoding): ArrayLike<number> | undefined {
  if (weight.kind === 'lpbq') return weight.channelScale;
  if (weight.kind === 'per-tensor') return [weight.scale];
  return weight.kind === 'per-channel' ? weight.scale : undefined;
}
