/** Scale searches in TypeScript, operation for operation those of the addon (src/solvers/search_*.h). */
import { fma32 } from './fused-multiply-add.js';
import { candidateScale, clampRound, lowerEnd, symmetricScale, upperEnd } from './ranges.js';

const { fround } = Math;
const INTEGERS = 16;
const TRIALS = 8;
const LEAST_PART = fround(0.56);

/** The loss of a block's errors e [block] under the Gram matrix, its diagonal, or nothing. */
function blockLoss(gram: Float32Array | null, k: number, block: number, j: number, e: Float32Array): number {
  let loss = 0;
  const blocks = gram !== null && gram.length !== k;
  for (let a = 0; a < block; a++) {
    const error = e[a] as number;
    if (!blocks) {
      loss = fma32(gram === null ? error : fround((gram[j * block + a] as number) * error), error, loss);
      continue;
    }
    const row = (j * block + a) * block;
    let sum = 0;
    for (let b = 0; b < a; b++) sum = fma32(gram[row + b] as number, e[b] as number, sum);
    loss = fma32(error, fma32(gram[row + a] as number, error, fround(sum + sum)), loss);
  }
  return loss;
}

function errorsOn(w: Float32Array, start: number, block: number, scale: number, bound: number, e: Float32Array): void {
  for (let a = 0; a < block; a++) {
    const value = w[start + a] as number;
    e[a] = fround(fround(clampRound(fround(value / scale), -bound, bound - 1) * scale) - value);
  }
}

interface Row {
  readonly w: Float32Array;
  readonly start: number;
  readonly k: number;
  readonly block: number;
  readonly gram: Float32Array | null;
  readonly e: Float32Array;
  /** Float scales of the blocks. */
  readonly minMax: Float32Array;
}

interface Solution {
  readonly channel: number;
  readonly integers: Uint8Array;
  readonly loss: number;
}

function lossOf(row: Row, j: number, scale: number): number {
  errorsOn(row.w, row.start + j * row.block, row.block, scale, 8, row.e);
  return blockLoss(row.gram, row.k, row.block, j, row.e);
}

function totalLoss(row: Row, channel: number, integers: Uint8Array): number {
  let loss = 0;
  integers.forEach((integer, j) => {
    loss = fround(loss + lossOf(row, j, fround(channel * integer)));
  });
  return loss;
}

/** Of the integers tried at once in the addon: from `LEAST_PART` of the one that min-max asks for. */
function bestInteger(row: Row, j: number, channel: number): { readonly integer: number; readonly loss: number } {
  const first = clampRound(fround(fround((row.minMax[j] as number) / channel) * LEAST_PART), 1, INTEGERS - TRIALS + 1);
  let best = { integer: first, loss: lossOf(row, j, fround(channel * first)) };
  for (let integer = first + 1; integer < first + TRIALS; integer++) {
    const loss = lossOf(row, j, fround(channel * integer));
    if (loss < best.loss) best = { integer, loss };
  }
  return best;
}

function minMaxScales(w: Float32Array, start: number, k: number, block: number): Float32Array {
  return Float32Array.from({ length: k / block }, (_, j) => {
    const from = start + j * block;
    return symmetricScale(lowerEnd(w, from, from + block), upperEnd(w, from, from + block), 4);
  });
}

function minMaxSolution(row: Row): Solution {
  const channel = fround(row.minMax.reduce((largest, scale) => (scale > largest ? scale : largest), 0) / INTEGERS);
  const integers = Uint8Array.from(row.minMax, (scale) => clampRound(fround(scale / channel), 1, INTEGERS));
  return { channel, integers, loss: totalLoss(row, channel, integers) };
}

function channelSolution(row: Row, start: number): Solution {
  const found = Array.from(row.minMax, (_, j) => bestInteger(row, j, start));
  const largest = found.reduce((most, { integer }) => Math.max(most, integer), 0);
  if (largest === INTEGERS) return { channel: start, integers: Uint8Array.from(found, ({ integer }) => integer), loss: found.reduce((sum, { loss }) => fround(sum + loss), 0) };
  const channel = fround(fround(start * largest) / INTEGERS);
  const integers = Uint8Array.from(found, ({ integer }, j) => (integer === largest ? INTEGERS : bestInteger(row, j, channel).integer));
  return { channel, integers, loss: totalLoss(row, channel, integers) };
}

export function searchLpbq(w: Float32Array, n: number, k: number, block: number, gram: Float32Array | null, factors: Float32Array, blockScale: Uint8Array, channelScale: Float32Array): void {
  for (let r = 0; r < n; r++) {
    const row: Row = { w, start: r * k, k, block, gram, e: new Float32Array(block), minMax: minMaxScales(w, r * k, k, block) };
    const minMax = minMaxSolution(row);
    let best = minMax;
    for (const factor of factors) {
      const found = channelSolution(row, fround(minMax.channel * factor));
      if (found.loss < best.loss) best = found;
    }
    channelScale[r] = best.channel;
    blockScale.set(best.integers, (r * k) / block);
  }
}

/** q'Gq - 2 q'linear, where `e` holds q - w. */
function linearLoss(w: Float32Array, linear: Float32Array, start: number, block: number, gram: Float32Array | null, k: number, j: number, e: Float32Array): number {
  let sum = 0;
  for (let a = 0; a < block; a++) {
    const q = fround((e[a] as number) + (w[start + a] as number));
    e[a] = q;
    sum = fma32(linear[start + a] as number, q, sum);
  }
  return fround(blockLoss(gram, k, block, j, e) - fround(sum + sum));
}

export function searchCandidates(
  w: Float32Array, n: number, k: number, block: number, bits: number, gram: Float32Array | null, linear: Float32Array | null, startScale: Float32Array | null, candidates: number, chosen: Uint8Array, scale: Float32Array,
): void {
  const e = new Float32Array(block);
  const bound = 2 ** (bits - 1);
  for (let at = 0; at < (n * k) / block; at++) {
    const start = at * block;
    const j = at % (k / block);
    const largest = startScale?.[at] ?? symmetricScale(lowerEnd(w, start, start + block), upperEnd(w, start, start + block), bits);
    let least = 0;
    for (let c = 0; c < candidates; c++) {
      const tried = candidateScale(largest, c, candidates, bits);
      errorsOn(w, start, block, tried, bound, e);
      const loss = linear === null ? blockLoss(gram, k, block, j, e) : linearLoss(w, linear, start, block, gram, k, j, e);
      if (c > 0 && !(loss < least)) continue;
      least = loss;
      chosen[at] = c;
      scale[at] = tried;
    }
  }
}
