/** The rule about weights of 16 bits, which accelerators multiply as two integers of 8. */
import { DataType, type Value } from '@tundish/graph';
import { LARGEST_SPLIT_CODE, roundHalfEven } from '../calibration/encoding-rules.js';
import type { ChannelForm, TensorEncoding, TensorForm } from '../encodings-formats/document.js';
import { type WeightAxes, weightAxes } from '../encodings-formats/weight-axes.js';
import type { LintRule } from './finding.js';
import { isSymmetric } from './view.js';
import { multiplied } from './weight-rules.js';

/** Weights outside the file of the graph are not read. */
export const splitCodes: LintRule = {
  name: 'split-codes',
  asks: 'codes of symmetric weights of 16 bits are at most 0x7f7f, so that both halves are signed integers of 8',
  host: 'the weight is multiplied in floating point',
  *check(view) {
    for (const [name, encoding] of multiplied(view)) {
      const [axes, values] = isWideSymmetric(encoding) ? [weightAxes(view.graph, name), floatsOf(view.graph.find(name))] : [];
      if (!isWideSymmetric(encoding) || axes === undefined || values === undefined) continue;
      const largest = largestCode(encoding, values, axes);
      if (largest > LARGEST_SPLIT_CODE) yield { tensor: name, severity: 'error', what: `has the code ${largest}, whose upper half is 128 when the lower one is signed`, fix: `make the scale at least maximum / ${LARGEST_SPLIT_CODE}, or clip at 0x7f7f` };
    }
  },
};

function isWideSymmetric(encoding: TensorEncoding): encoding is TensorForm | ChannelForm {
  return (encoding.kind === 'per-tensor' || encoding.kind === 'per-channel') && encoding.grid.bits === 16 && isSymmetric(encoding);
}

function largestCode({ scale }: TensorForm | ChannelForm, values: Float32Array, { dims, channel }: WeightAxes): number {
  const stride = dims.slice(channel + 1).reduce((product, dim) => product * dim, 1);
  const scaleAt = (i: number): number => (typeof scale === 'number' ? scale : (scale[Math.floor(i / stride) % (dims[channel] as number)] as number));
  return values.reduce((largest, value, i) => Math.max(largest, Math.min(roundHalfEven(value / scaleAt(i)), 0x7fff)), 0);
}

function floatsOf(value: Value | undefined): Float32Array | undefined {
  const tensor = value?.tensor;
  return tensor?.kind === 'inline' && tensor.dtype === DataType.FLOAT ? new Float32Array(tensor.data.slice().buffer) : undefined;
}
