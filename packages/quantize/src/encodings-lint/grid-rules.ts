/** Rules that an encoding keeps or breaks by itself. */
import type { BlockForm, ChannelForm, LpbqForm } from '../encodings-formats/document.js';
import { middleOf } from '../encodings-formats/offsets.js';
import { type WeightAxes, weightAxes } from '../encodings-formats/weight-axes.js';
import type { LintRule } from './finding.js';
import { encodingText, zeroPointsOf } from './view.js';

/** Beyond them, float32 products of scales overflow or vanish; norms that were never calibrated carry 1e-20. */
const [SMALLEST_SCALE, LARGEST_SCALE] = [1e-10, 1e10];

export const symmetricOffset: LintRule = {
  name: 'symmetric-offset',
  asks: 'what is stated as symmetric has the offset -2^(bits-1)',
  host: 'the same: codes are shifted by the zero point',
  *check({ entries }) {
    for (const { name, encoding } of entries) {
      if (encoding.kind === 'float' || encoding.kind === 'lpbq' || !encoding.grid.symmetric) continue;
      const wrong = zeroPointsOf(encoding).find((zero) => zero !== middleOf(encoding.grid.bits));
      if (wrong !== undefined) yield { tensor: name, severity: 'error', what: `is symmetric and has the offset ${0 - wrong}`, fix: `make the offset ${-middleOf(encoding.grid.bits)}, or say that it is not symmetric` };
    }
  },
};

export const scaleRange: LintRule = {
  name: 'scale-range',
  asks: '1e-10 < scale < 1e10',
  host: 'the same: scales are float32 and are multiplied with each other',
  *check({ entries }) {
    for (const { name, encoding } of entries) {
      if (encoding.kind === 'float') continue;
      const scales = encoding.kind === 'lpbq' ? encoding.channelScale : typeof encoding.scale === 'number' ? [encoding.scale] : encoding.scale;
      const wrong = Array.prototype.find.call(scales, (scale: number) => !(scale > SMALLEST_SCALE && scale < LARGEST_SCALE)) as number | undefined;
      if (wrong !== undefined) yield { tensor: name, severity: 'error', what: `has the scale ${wrong}`, fix: 'drop the encoding, or calibrate again on text that reaches this value' };
    }
  },
};

export const knownTensor: LintRule = {
  name: 'known-tensor',
  asks: 'every entry names a value of the graph',
  host: 'the same: entries of other names are never read, as converters ignore them',
  *check({ entries, graph }) {
    for (const { name } of entries) if (graph.find(name) === undefined) yield { tensor: name, severity: 'warning', what: 'is not in the graph', fix: 'carry the entry through the rename that the graph went through' };
  },
};

export const weightShape: LintRule = {
  name: 'weight-shape',
  asks: 'scales of channels are as many as the output channels of the weight',
  host: 'the same: shapes would not match',
  *check({ parameters, graph }) {
    for (const [name, encoding] of parameters) {
      const axes = weightAxes(graph, name);
      if (axes === undefined || (encoding.kind !== 'per-channel' && encoding.kind !== 'lpbq' && encoding.kind !== 'per-block')) continue;
      const found = channelsOf(encoding, axes);
      if (found !== axes.dims[axes.channel]) yield { tensor: name, severity: 'error', what: `has an encoding of ${encodingText(encoding)}; the tensor of shape [${axes.dims}] has ${axes.dims[axes.channel]}`, fix: 'take the encodings that were made for this graph' };
    }
  },
};

/** Output channels that an encoding has scales for; of float block scales as many as the blocks of the weight leave. */
function channelsOf(encoding: ChannelForm | BlockForm | LpbqForm, { dims, block }: WeightAxes): number {
  if (encoding.kind === 'lpbq') return encoding.channelScale.length;
  if (encoding.kind === 'per-channel') return encoding.scale.length;
  return (encoding.scale.length * encoding.blockSize) / (block === undefined ? 1 : (dims[block] as number));
}
