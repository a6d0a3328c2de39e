/** The `rope_scaling` of config.json from the metadata of a GGUF file and its `rope_freqs.weight`. */
import { printable } from '@tundish/diagnostics';
import { fault } from '../errors.js';
import type { MetadataFields } from './metadata-fields.js';
import { llama3Scaling } from './rope-divisors.js';

/** `rope_scaling` as transformers spells it. */
export type RopeScaling = Readonly<Record<string, string | number>>;

/** What scales the frequencies of one model. */
export interface RopeSource {
  readonly path: string;
  readonly fields: MetadataFields;
  /** Prefix of the keys, which is the architecture. */
  readonly architecture: string;
  readonly theta: number;
  readonly headDim: number;
  /** Values of `rope_freqs.weight`, headDim / 2 divisors of the frequencies. */
  readonly divisors: Float32Array | undefined;
}

/** Knobs of llama.cpp that transformers' yarn does not have, and the values at which they do nothing. */
const NEUTRAL: readonly (readonly [string, number])[] = [
  ['scaling.yarn_ext_factor', 1],
  ['scaling.yarn_attn_factor', 1],
  ['scaling.yarn_log_multiplier', 0],
];

/** @throws TundishError GGUF_METADATA_INVALID, GGUF_ROPE_UNKNOWN */
export function readRopeScaling(source: RopeSource): RopeScaling | null {
  const { fields, architecture, path } = source;
  const key = (name: string): string => `${architecture}.rope.${name}`;
  const oldFactor = fields.float(key('scale_linear'));
  const type = fields.text(key('scaling.type')) ?? (oldFactor === undefined ? 'none' : 'linear');
  const fromDivisors = source.divisors === undefined ? null : llama3Scaling(source.divisors, source);
  if (fromDivisors !== null && type !== 'none') {
    throw fault('GGUF_ROPE_UNKNOWN', { what: `${path}: rope_freqs.weight and ${key('scaling.type')} ${printable(type, 40)} both scale the frequencies`, evidence: { path } });
  }
  if (type === 'none') return fromDivisors;
  const factor = fields.float(key('scaling.factor')) ?? oldFactor;
  if (factor === undefined) throw fields.invalid(key('scaling.factor'), 'is missing');
  if (factor < 1) throw fields.invalid(key('scaling.factor'), `must be >= 1, found ${factor}`);
  if (type === 'linear') return factor === 1 ? null : { rope_type: 'linear', factor };
  if (type === 'yarn') return readYarn(fields, key, factor);
  throw fields.invalid(key('scaling.type'), `is unknown: ${printable(type, 40)}; known: none linear yarn`);
}

/** llama.cpp multiplies `attn_factor` into the 0.1 ln(factor) + 1 that transformers calls attention_factor. */
function readYarn(fields: MetadataFields, key: (name: string) => string, factor: number): RopeScaling {
  for (const [name, neutral] of NEUTRAL) {
    const value = fields.float(key(name)) ?? neutral;
    if (value !== neutral) throw fields.invalid(key(name), `has no counterpart in config.json unless it is ${neutral}, found ${value}`);
  }
  const original = fields.natural(key('scaling.original_context_length'));
  const betaFast = fields.float(key('scaling.yarn_beta_fast'));
  const betaSlow = fields.float(key('scaling.yarn_beta_slow'));
  const attention = fields.float(key('scaling.attn_factor')) ?? 1;
  return {
    rope_type: 'yarn',
    factor,
    ...(original === undefined ? {} : { original_max_position_embeddings: original }),
    ...(betaFast === undefined ? {} : { beta_fast: betaFast }),
    ...(betaSlow === undefined ? {} : { beta_slow: betaSlow }),
    ...(attention === 1 ? {} : { attention_factor: attention * (0.1 * Math.log(factor) + 1) }),
  };
}
