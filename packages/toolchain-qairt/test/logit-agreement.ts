/** How far the logits of two executors are apart: nats, most likely tokens, and perplexity of the text. */
import type { Codes } from './code-runner.js';

/** One position of a text. */
export interface ComparedPosition {
  /** Nats from the device to the host. */
  readonly kl: number;
  readonly sameTop: boolean;
  /** Nats of the token that follows; absent where none does. */
  readonly device?: number;
  readonly host?: number;
}

export interface Agreement {
  readonly positions: number;
  /** Nats from the device to the host. */
  readonly kl: number;
  readonly p99: number;
  /** Share of positions with the same most likely token. */
  readonly top1: number;
  /** Perplexity of the host by that of the device, less 1. */
  readonly perplexity: number;
}

interface Pass {
  /** Codes [AR, vocabulary] on one grid, or reals with scale 1. */
  readonly device: Codes | Float32Array;
  readonly host: Codes | Float32Array;
  readonly scale: number;
  readonly vocabulary: number;
  /** Tokens that follow the rows; shorter at the end of the text. */
  readonly next: Int32Array;
}

export function comparePositions({ device, host, scale, vocabulary, next }: Pass): ComparedPosition[] {
  return Array.from({ length: device.length / vocabulary }, (_, row) => {
    const [theirs, ours] = [device, host].map((codes) => logProbabilities(codes.subarray(row * vocabulary, (row + 1) * vocabulary), scale)) as [Float64Array, Float64Array];
    const token = next[row];
    return {
      kl: theirs.reduce((sum, value, i) => sum + Math.exp(value) * (value - (ours[i] as number)), 0),
      sameTop: largestAt(theirs) === largestAt(ours),
      ...(token === undefined ? {} : { device: -(theirs[token] as number), host: -(ours[token] as number) }),
    };
  });
}

export function agreement(compared: readonly ComparedPosition[]): Agreement {
  const sorted = compared.map(({ kl }) => kl).sort((a, b) => a - b);
  const scored = compared.filter(({ device }) => device !== undefined);
  const mean = (of: (position: ComparedPosition) => number, among = compared): number => among.reduce((sum, position) => sum + of(position), 0) / among.length;
  return {
    positions: compared.length,
    kl: mean(({ kl }) => kl),
    p99: sorted[Math.floor(0.99 * sorted.length)] ?? 0,
    top1: mean(({ sameTop }) => (sameTop ? 1 : 0)),
    perplexity: Math.exp(mean(({ device = 0, host = 0 }) => host - device, scored)) - 1,
  };
}

function logProbabilities(codes: Codes | Float32Array, scale: number): Float64Array {
  let largest = -Infinity;
  for (const code of codes) largest = Math.max(largest, code);
  let sum = 0;
  for (const code of codes) sum += Math.exp((code - largest) * scale);
  return Float64Array.from(codes, (code) => (code - largest) * scale - Math.log(sum));
}

function largestAt(values: Float64Array): number {
  return values.reduce((best, value, i) => (value > (values[best] as number) ? i : best), 0);
}
