/** Reads the rope part of config.json: rope_theta with rope_scaling, or the newer rope_parameters. */
import { printable } from '@tundish/diagnostics';
import type { ConfigFields } from './config-fields.js';
import type { Rope } from './rope.js';

type Reader = (fields: ConfigFields, theta: number, maxPositions: number) => Rope;

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['default', (_, theta) => ({ type: 'default', theta })],
  ['linear', (fields, theta) => ({ type: 'linear', theta, factor: readFactor(fields) })],
  ['llama3', readLlama3],
  ['yarn', readYarn],
]);

/**
 * @param config the top level of config.json
 * @param maxPositions max_position_embeddings, which yarn takes where it does not name an original length
 * @throws TundishError CONFIG_FIELD_INVALID
 */
export function readRope(config: ConfigFields, maxPositions: number): Rope {
  const parameters = config.section('rope_parameters');
  const scaling = parameters ?? config.section('rope_scaling');
  const thetaRule = { must: 'positive', holds: (value: number) => value > 0 };
  const outerTheta = config.number('rope_theta', { ...thetaRule, fallback: 10_000 });
  if (scaling === undefined) return { type: 'default', theta: outerTheta };
  const theta = parameters?.number('rope_theta', { ...thetaRule, fallback: outerTheta }) ?? outerTheta;
  const type = scaling.text('rope_type') ?? scaling.text('type') ?? (parameters === undefined ? undefined : 'default');
  if (type === undefined) throw scaling.invalid('rope_type', 'is missing');
  const reader = READERS.get(type);
  if (reader !== undefined) return reader(scaling, theta, maxPositions);
  const fix = 'Use a checkpoint with one of the known rope types.';
  throw scaling.invalid('rope_type', `is unknown: unknown rope_type ${printable(type, 60)}; known: ${[...READERS.keys()].join(' ')}`, fix);
}

function readFactor(fields: ConfigFields): number {
  return fields.number('factor', { must: '>= 1', holds: (value) => value >= 1 });
}

function readLlama3(fields: ConfigFields, theta: number): Rope {
  const positive = { must: 'positive', holds: (value: number) => value > 0 };
  const factor = readFactor(fields);
  const lowFreqFactor = fields.number('low_freq_factor', positive);
  const highFreqFactor = fields.number('high_freq_factor', positive);
  if (highFreqFactor <= lowFreqFactor) {
    throw fields.invalid('high_freq_factor', `must be greater than low_freq_factor, found ${highFreqFactor} and ${lowFreqFactor}`);
  }
  const originalMaxPositionEmbeddings = fields.positiveInteger('original_max_position_embeddings');
  return { type: 'llama3', theta, factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings };
}

function readYarn(fields: ConfigFields, theta: number, maxPositions: number): Rope {
  const positive = { must: 'positive', holds: (value: number) => value > 0 };
  if (theta <= 1) throw fields.invalid('rope_type', `yarn needs rope_theta greater than 1, found ${theta}`);
  const factor = readFactor(fields);
  const betaFast = fields.number('beta_fast', { ...positive, fallback: 32 });
  const betaSlow = fields.number('beta_slow', { ...positive, fallback: 1 });
  if (betaFast < betaSlow) throw fields.invalid('beta_fast', `must not be less than beta_slow, found ${betaFast} and ${betaSlow}`);
  return {
    type: 'yarn',
    theta,
    factor,
    originalMaxPositionEmbeddings: fields.positiveInteger('original_max_position_embeddings', maxPositions),
    betaFast,
    betaSlow,
    attentionFactor: readAttentionFactor(fields, factor),
    truncate: fields.boolean('truncate', true),
  };
}

/** attention_factor if given, else mscale over mscale_all_dim if both are, else 0.1 ln(factor) + 1. */
function readAttentionFactor(fields: ConfigFields, factor: number): number {
  const notNegative = { must: '>= 0', holds: (value: number) => value >= 0, fallback: 0 };
  if (fields.get('attention_factor') !== undefined) return fields.number('attention_factor', { must: 'positive', holds: (value) => value > 0 });
  const scaleOf = (mscale: number): number => (factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1);
  const mscale = fields.number('mscale', notNegative);
  const mscaleAllDim = fields.number('mscale_all_dim', notNegative);
  return mscale > 0 && mscaleAllDim > 0 ? scaleOf(mscale) / scaleOf(mscaleAllDim) : scaleOf(1);
}
