/** Finds the llama3 parameters behind the divisors that a GGUF file stores in their place. */
import { fault } from '../errors.js';
import type { RopeScaling } from './rope-scaling.js';

interface Llama3Parameters {
  readonly factor: number;
  readonly low: number;
  readonly high: number;
  readonly original: number;
}

/** Llama 3.1 and Llama 3.2, as their config.json have them. */
const PUBLISHED: readonly Llama3Parameters[] = [
  { factor: 8, low: 1, high: 4, original: 8192 },
  { factor: 32, low: 1, high: 4, original: 8192 },
];
/** The converter works in float32: a few roundings of a quotient up to 4, in units of 1/v which is at most 1. */
const ROUNDING = 2 ** -19;

/**
 * The divisor of frequency f = theta^(-2i/headDim) with wavelength w = 2 pi / f is 1 for w < original / high, `factor` for
 * w > original / low, and between them 1 / ((1 - s) / factor + s) with s = (original / w - low) / (high - low).
 * A common multiple of low, high and original changes nothing, so solved ones have low 1.
 *
 * @returns null when no frequency is divided
 * @throws TundishError GGUF_ROPE_UNKNOWN when no parameters give every stored value within float32 rounding
 */
export function llama3Scaling(divisors: Float32Array, { path, theta, headDim }: { readonly path: string; readonly theta: number; readonly headDim: number }): RopeScaling | null {
  if (divisors.every((divisor) => divisor === 1)) return null;
  const frequencies = Array.from(divisors, (_, i) => theta ** ((-2 * i) / headDim));
  const solved = solve(divisors, frequencies);
  const candidates = solved === undefined ? PUBLISHED : [...PUBLISHED, solved];
  const found = candidates.find((candidate) => explains(candidate, divisors, frequencies));
  if (found !== undefined) {
    return { rope_type: 'llama3', factor: found.factor, low_freq_factor: found.low, high_freq_factor: found.high, original_max_position_embeddings: found.original };
  }
  throw fault('GGUF_ROPE_UNKNOWN', {
    what: `${path}: rope_freqs.weight does not follow the llama3 formula`,
    why: `No factor, frequency factors and original context give its ${divisors.length} values with rope base ${theta}.`,
    evidence: { path, detail: 'tensor rope_freqs.weight' },
    fix: 'Import the checkpoint that the file was made from instead.',
  });
}

function explains(parameters: Llama3Parameters, divisors: Float32Array, frequencies: readonly number[]): boolean {
  return frequencies.every((frequency, i) => Math.abs(1 / (divisors[i] ?? 0) - keptShare(frequency, parameters)) <= ROUNDING);
}

/** 1 / divisor. */
function keptShare(frequency: number, { factor, low, high, original }: Llama3Parameters): number {
  const turns = (original * frequency) / (2 * Math.PI);
  if (turns > high) return 1;
  if (turns < low) return 1 / factor;
  const smooth = (turns - low) / (high - low);
  return (1 - smooth) / factor + smooth;
}

/** In the transition 1 / divisor is a line over the frequency; its slope and its foot give the original context and `high`. */
function solve(divisors: Float32Array, frequencies: readonly number[]): Llama3Parameters | undefined {
  const factor = Math.max(...divisors);
  const between = frequencies.flatMap((frequency, i) => {
    const divisor = divisors[i] ?? 1;
    return divisor > 1 && divisor < factor ? [{ frequency, share: 1 / divisor }] : [];
  });
  const first = between[0];
  const last = between.at(-1);
  if (first === undefined || last === undefined || first === last) return undefined;
  const slope = (first.share - last.share) / (first.frequency - last.frequency);
  const foot = last.share - slope * last.frequency;
  const high = rounded(1 + (1 - 1 / factor) / (1 / factor - foot));
  const original = Math.floor((slope * 2 * Math.PI * (high - 1)) / (1 - 1 / factor) + 0.5);
  return high > 1 && original > 0 ? { factor, low: 1, high, original } : undefined;
}

/** Configs hold plain decimals; what the float32 values leave open beyond the fourth digit is noise. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
