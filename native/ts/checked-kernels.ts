/** Puts argument checks and output allocation in front of raw kernels, so that both implementations refuse the same calls. */
import { check, checkApart, checkLength, checkSizes, threadCount } from './argument-checks.js';
import { checkedAlgebra } from './checked-algebra.js';
import { checkedSolvers } from './checked-solvers.js';
import { checkedDecoderKernels } from './decoder-kernels.js';
import { checkedReconstruction } from './checked-reconstruction.js';
import type { KernelIdentity, Kernels, LpbqWeight, RawKernels, UnsignedGrid } from './kernels.js';

/** @param reason why TypeScript computes although an addon was allowed */
export function checkedKernels(raw: RawKernels, identity: KernelIdentity, reason: string | undefined): Kernels {
  return { identity: () => identity, reason, ...weightKernels(raw), ...tensorKernels(raw), algebra: checkedAlgebra(raw.algebra), decoder: checkedDecoderKernels(raw.decoder), solvers: checkedSolvers(raw.solvers), reconstruction: checkedReconstruction(raw.reconstruction) };
}

type WeightKernels = Pick<Kernels, 'quantizeLpbq' | 'dequantizeLpbq' | 'quantizePerChannel' | 'dequantizePerChannel'>;

function weightKernels(raw: RawKernels): WeightKernels {
  return {
    quantizeLpbq(w, n, k, blockSize, threads, room) {
      checkLpbqShape('quantizeLpbq', n, k, blockSize);
      checkLength('quantizeLpbq', 'w', w.length, n * k);
      const codes = room ?? new Uint8Array((n * k) / 2);
      checkLength('quantizeLpbq', 'codes', codes.length, (n * k) / 2);
      const weight: LpbqWeight = { codes, blockScale: new Uint8Array((n * k) / blockSize), channelScale: new Float32Array(n) };
      raw.quantizeLpbq(w, n, k, blockSize, weight.codes, weight.blockScale, weight.channelScale, threadCount('quantizeLpbq', threads));
      return weight;
    },
    dequantizeLpbq(weight, n, k, blockSize, threads) {
      checkLpbqShape('dequantizeLpbq', n, k, blockSize);
      checkLength('dequantizeLpbq', 'codes', weight.codes.length, (n * k) / 2);
      checkLength('dequantizeLpbq', 'blockScale', weight.blockScale.length, (n * k) / blockSize);
      checkLength('dequantizeLpbq', 'channelScale', weight.channelScale.length, n);
      const out = new Float32Array(n * k);
      raw.dequantizeLpbq(weight.codes, weight.blockScale, weight.channelScale, n, k, blockSize, out, threadCount('dequantizeLpbq', threads));
      return out;
    },
    quantizePerChannel(w, n, k, bits, threads, room) {
      checkSizes('quantizePerChannel', { n, k });
      checkLength('quantizePerChannel', 'w', w.length, n * k);
      check('quantizePerChannel', [4, 8].includes(bits), `bits is ${bits}, known are 4 and 8`);
      const codes = room ?? new Int8Array(n * k);
      checkLength('quantizePerChannel', 'codes', codes.length, n * k);
      const weight = { codes, scale: new Float32Array(n) };
      raw.quantizePerChannel(w, n, k, bits, weight.codes, weight.scale, threadCount('quantizePerChannel', threads));
      return weight;
    },
    dequantizePerChannel(weight, n, k, threads) {
      checkSizes('dequantizePerChannel', { n, k });
      checkLength('dequantizePerChannel', 'codes', weight.codes.length, n * k);
      checkLength('dequantizePerChannel', 'scale', weight.scale.length, n);
      const out = new Float32Array(n * k);
      raw.dequantizePerChannel(weight.codes, weight.scale, n, k, out, threadCount('dequantizePerChannel', threads));
      return out;
    },
  };
}

function tensorKernels(raw: RawKernels): Omit<Kernels, keyof WeightKernels | 'identity' | 'reason' | 'algebra' | 'decoder' | 'solvers' | 'reconstruction'> {
  return {
    quantizeOnGrid(w, grid, bits, threads, codes = bits === 8 ? new Uint8Array(w.length) : new Uint16Array(w.length)) {
      checkGrid('quantizeOnGrid', grid, bits);
      const count = threadCount('quantizeOnGrid', threads);
      checkLength('quantizeOnGrid', 'codes', codes.length, w.length);
      check('quantizeOnGrid', codes.BYTES_PER_ELEMENT === bits / 8, `codes are elements of ${codes.BYTES_PER_ELEMENT} bytes, bits is ${bits}`);
      if (codes instanceof Uint8Array) raw.quantizeOnGrid8(w, grid.scale, grid.zeroPoint, codes, count);
      else raw.quantizeOnGrid16(w, grid.scale, grid.zeroPoint, codes, count);
      return codes;
    },
    minMax(x, threads) {
      const out = new Float32Array(2);
      raw.minMax(x, out, threadCount('minMax', threads));
      return { min: out[0] as number, max: out[1] as number };
    },
    allFinite: (x, threads) => raw.allFinite(x, threadCount('allFinite', threads)),
    widenBf16(bits, threads, out = new Float32Array(bits.length)) {
      checkLength('widenBf16', 'out', out.length, bits.length);
      raw.widenBf16(bits, out, threadCount('widenBf16', threads));
      return out;
    },
    widenF16(bits, threads, out = new Float32Array(bits.length)) {
      checkLength('widenF16', 'out', out.length, bits.length);
      raw.widenF16(bits, out, threadCount('widenF16', threads));
      return out;
    },
    subtract(a, b, threads, out = new Float32Array(a.length)) {
      checkLength('subtract', 'b', b.length, a.length);
      checkLength('subtract', 'out', out.length, a.length);
      for (const read of [a, b]) if (!startTogether(out, read)) checkApart('subtract', out, read);
      raw.subtract(a, b, out, threadCount('subtract', threads));
      return out;
    },
    sgemm(a, b, m, n, k, options = {}) {
      checkSizes('sgemm', { m, n, k });
      checkLength('sgemm', 'a', a.length, m * k);
      checkLength('sgemm', 'b', b.length, k * n);
      const out = new Float32Array(m * n);
      raw.sgemm(a, b, out, m, n, k, options.transposeB ?? false, threadCount('sgemm', options.threads));
      return out;
    },
    fwht(x, rows, n, threads) {
      checkSizes('fwht', { rows, n });
      check('fwht', n > 0 && Number.isInteger(Math.log2(n)), `n is ${n}, which is not a power of two`);
      checkLength('fwht', 'x', x.length, rows * n);
      raw.fwht(x, rows, n, threadCount('fwht', threads));
    },
  };
}

function startTogether(a: Float32Array, b: Float32Array): boolean {
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset;
}

/** The addon computes in fp32, so a scale that is not one would give other codes there than in TypeScript. */
function checkGrid(kernel: string, { scale, zeroPoint }: UnsignedGrid, bits: number): void {
  check(kernel, [8, 16].includes(bits), `bits is ${bits}, known are 8 and 16`);
  const isPositiveFloat = scale > 0 && scale < Infinity && Math.fround(scale) === scale;
  check(kernel, isPositiveFloat, `scale is ${scale}, not a positive float32`);
  const isCode = Number.isInteger(zeroPoint) && zeroPoint >= 0 && zeroPoint < 2 ** bits;
  check(kernel, isCode, `zeroPoint is ${zeroPoint}, not a code of ${bits} bits`);
}

function checkLpbqShape(kernel: string, n: number, k: number, blockSize: number): void {
  checkSizes(kernel, { n, k, blockSize });
  const fits = blockSize > 0 && blockSize % 2 === 0 && k % blockSize === 0;
  check(kernel, fits, `blockSize ${blockSize} must be even and divide k = ${k}`);
}
