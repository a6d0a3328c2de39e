/** A small transformer behind the port, in plain TypeScript: exact enough that every way through the engine gives equal bits. */
import { graphName, widenFloat16 } from '@tundish/toolchain';
import type { Executable, GraphIo, IoTensor, TensorData } from '@tundish/toolchain';
import { randomStream } from '../src/random.js';

export const TINY = { vocabulary: 13, hidden: 8, layers: 2, heads: 4, kvHeads: 2, headDim: 4, inverseFrequencies: [1, 0.25], maskValue: -1e4 };
const { vocabulary: V, hidden: H, heads, kvHeads: G, headDim: D } = TINY;
const PAIRS = D / 2;

export interface TinyOptions {
  readonly ars: readonly number[];
  readonly contextLengths: readonly number[];
  /** Stages of each part: `embed`, `layer0`, `layer1`, `head` in order. */
  readonly parts: readonly (readonly string[])[];
  /** `half`: in half floats. */
  readonly quantized: boolean | 'half';
  /** Sees every call before it is computed. */
  readonly spy?: (io: GraphIo, inputs: ReadonlyMap<string, TensorData>, outputs: readonly string[]) => void;
}

type Store = Pick<IoTensor, 'dtype' | 'quantization'>;
const F32: Store = { dtype: 'float32' };
const F16: Store = { dtype: 'float16' };
/** Every half float that is not negative, by its bits. */
const HALVES = widenFloat16(Uint16Array.from({ length: 0x7c00 }, (_, bits) => bits));
const u16 = (scale: number, zeroPoint: number): Store => ({ dtype: 'uint16', quantization: { scale, zeroPoint } });

/** Encodings by kind of tensor. */
function stores(quantized: TinyOptions['quantized']): Record<'mask' | 'rope' | 'hidden' | 'cache' | 'logits', Store> {
  if (quantized === false) return { mask: F32, rope: F32, hidden: F32, cache: F32, logits: F32 };
  if (quantized === 'half') return { mask: F16, rope: F16, hidden: F16, cache: F16, logits: F16 };
  return {
    mask: u16(1e4 / 65535, 65535), rope: u16(2 / 65535, 32768), hidden: u16(1 / 4096, 30000),
    cache: { dtype: 'uint8', quantization: { scale: 0.03, zeroPoint: 128 } }, logits: u16(1 / 2048, 32768),
  };
}

const random = randomStream(7);
const matrix = (rows: number, columns: number): number[][] =>
  Array.from({ length: rows }, () => Array.from({ length: columns }, () => (2 * random.next() - 1) / Math.sqrt(columns)));
const EMBEDDING = matrix(V, H);
const LAYERS = Array.from({ length: TINY.layers }, () => ({ q: matrix(heads * D, H), k: matrix(G * D, H), v: matrix(G * D, H), o: matrix(H, heads * D) }));
const HEAD = matrix(V, H);

function multiply(w: readonly number[][], x: readonly number[]): number[] {
  return w.map((row) => row.reduce((sum, a, i) => sum + a * (x[i] as number), 0));
}

function rotate(x: readonly number[], cos: readonly number[], sin: readonly number[]): number[] {
  const y = [...x];
  for (let h = 0; h < x.length; h += D) {
    for (let i = 0; i < PAIRS; i++) {
      const [a, b] = [x[h + i] as number, x[h + i + PAIRS] as number];
      y[h + i] = a * (cos[i] as number) - b * (sin[i] as number);
      y[h + i + PAIRS] = a * (sin[i] as number) + b * (cos[i] as number);
    }
  }
  return y;
}

/** Rounds as the tensor stores it; written out again here so that an error of the codec shows. */
function code(store: Store, x: number): number {
  if (store.dtype === 'float16') return nearestHalf(x);
  if (store.quantization === undefined) return Math.fround(x);
  const scaled = x / store.quantization.scale;
  const floor = Math.floor(scaled);
  const up = scaled - floor > 0.5 || (scaled - floor === 0.5 && floor % 2 !== 0);
  return Math.min(store.dtype === 'uint8' ? 255 : 65535, Math.max(0, floor + (up ? 1 : 0) + store.quantization.zeroPoint));
}

/** By searching all of them. */
function nearestHalf(x: number): number {
  const size = Math.abs(x);
  let above = HALVES.findIndex((half) => half >= size);
  const [low, high] = [HALVES[above - 1] ?? size, HALVES[above] as number];
  if (size - low < high - size || (size - low === high - size && above % 2 !== 0)) above--;
  return Math.max(0, above) | (x < 0 || Object.is(x, -0) ? 0x8000 : 0);
}

function halfReal(bits: number): number {
  return ((bits & 0x8000) === 0 ? 1 : -1) * (HALVES[bits & 0x7fff] as number);
}

const real = (store: Store, c: number): number => (store.dtype === 'float16' ? halfReal(c) : store.quantization === undefined ? c : (c - store.quantization.zeroPoint) * store.quantization.scale);
const stored = (store: Store, x: number): number => real(store, code(store, x));

/** One head-wise attention of a query over columns in order, with an additive mask per column. */
function attend(q: readonly number[], columns: readonly { k: readonly number[]; v: readonly number[]; mask: number }[]): number[] {
  const out: number[] = [];
  for (let h = 0; h < heads; h++) {
    const kv = Math.floor(h / (heads / G)) * D;
    const scores = columns.map(({ k, mask }) => mask + Array.from({ length: D }, (_, d) => (q[h * D + d] as number) * (k[kv + d] as number)).reduce((a, b) => a + b, 0) / 2);
    const max = Math.max(...scores);
    const weights = scores.map((s) => Math.exp(s - max));
    const total = weights.reduce((a, b) => a + b, 0);
    for (let d = 0; d < D; d++) out.push(weights.reduce((sum, w, c) => sum + w * (columns[c]?.v[kv + d] as number), 0) / total);
  }
  return out;
}

/** Logits after every token by full recomputation, without cache, mask or graphs. */
export function recompute(tokens: readonly number[], options: TinyOptions): Float32Array[] {
  const store = stores(options.quantized);
  const boundary = new Set(options.parts.slice(0, -1).map((stages) => stages.at(-1)));
  const keep = (stage: string, x: number[]): number[] => (boundary.has(stage) ? x.map((a) => stored(store.hidden, a)) : x);
  let rows = tokens.map((token) => keep('embed', [...(EMBEDDING[token] as number[])]));
  for (const [index, w] of LAYERS.entries()) {
    const cos = (p: number): number[] => TINY.inverseFrequencies.map((f) => stored(store.rope, Math.cos(p * f)));
    const sin = (p: number): number[] => TINY.inverseFrequencies.map((f) => stored(store.rope, Math.sin(p * f)));
    const columns = rows.map((x, p) => ({
      k: rotate(multiply(w.k, x), cos(p), sin(p)).map((a) => stored(store.cache, a)),
      v: multiply(w.v, x).map((a) => stored(store.cache, a)),
      mask: 0,
    }));
    rows = rows.map((x, p) => {
      const y = multiply(w.o, attend(rotate(multiply(w.q, x), cos(p), sin(p)), columns.slice(0, p + 1)));
      return keep(`layer${index}`, x.map((a, i) => a + Math.tanh(y[i] as number)));
    });
  }
  return rows.map((x) => Float32Array.from(multiply(HEAD, x), (a) => stored(store.logits, a)));
}

/** The parts as a toolchain would open them. */
export function tinyParts(options: TinyOptions): Executable[] {
  return options.parts.map((stages, index) => {
    const graphs = options.ars.flatMap((ar) => options.contextLengths.map((cl) => describe(options, stages, { ar, cl, part: index + 1, parts: options.parts.length })));
    return {
      graphs,
      run: (name, inputs, outputs) => {
        const io = graphs.find((graph) => graph.name === name) as GraphIo;
        const names = outputs ?? io.outputs.map((output) => output.name);
        options.spy?.(io, inputs, names);
        const all = execute(io, stages, inputs, stores(options.quantized));
        return Promise.resolve(new Map(names.map((n) => [n, all.get(n) as TensorData])));
      },
      prepare: () => Promise.resolve(),
      close: () => Promise.resolve(),
    };
  });
}

function describe(options: TinyOptions, stages: readonly string[], cell: GraphIo['cell']): GraphIo {
  const store = stores(options.quantized);
  const { ar, cl } = cell;
  const tensor = (name: string, shape: number[], s: Store): IoTensor => ({ name, shape, ...s });
  const layers = stages.filter((stage) => stage.startsWith('layer')).map((stage) => Number(stage.slice(5)));
  const caches = (suffix: string, n: number): IoTensor[] =>
    layers.flatMap((i) => [tensor(`past_key_${i}_${suffix}`, [G, 1, D, n], store.cache), tensor(`past_value_${i}_${suffix}`, [G, 1, n, D], store.cache)]);
  const first = stages[0] === 'embed' ? tensor('input_ids', [1, ar], { dtype: 'int32' }) : tensor(`hidden_${cell.part - 1}`, [1, ar, H], store.hidden);
  const last = stages.at(-1) === 'head' ? tensor('logits', [1, ar, V], store.logits) : tensor(`hidden_${cell.part}`, [1, ar, H], store.hidden);
  const rope = [1, 1, ar, PAIRS];
  const shared = layers.length === 0 ? [] : [tensor('attention_mask', [1, 1, ar, cl], store.mask), tensor('position_ids_cos', rope, store.rope), tensor('position_ids_sin', rope, store.rope)];
  return { name: graphName(cell), cell, inputs: [first, ...shared, ...caches('in', cl - ar)], outputs: [last, ...caches('out', ar)] };
}

function execute(io: GraphIo, stages: readonly string[], inputs: ReadonlyMap<string, TensorData>, store: ReturnType<typeof stores>): Map<string, TensorData> {
  const { ar, cl } = io.cell;
  for (const input of io.inputs) {
    const length = inputs.get(input.name)?.length;
    if (length !== input.shape.reduce((a, b) => a * b, 1)) throw new RangeError(`${io.name}: ${input.name} has ${length} elements`);
  }
  const outputs = new Map<string, TensorData>();
  const data = (name: string): TensorData => inputs.get(name) as TensorData;
  const rowOf = (name: string, row: number, width: number, s: Store): number[] => Array.from({ length: width }, (_, i) => real(s, data(name)[row * width + i] as number));
  const each = <T>(make: (row: number) => T): T[] => Array.from({ length: ar }, (_, row) => make(row));
  const write = (name: string, s: Store, length: number, value: (i: number) => number): void => {
    const target = s.dtype === 'float32' ? new Float32Array(length) : s.dtype === 'uint8' ? new Uint8Array(length) : new Uint16Array(length);
    for (let i = 0; i < length; i++) target[i] = code(s, value(i));
    outputs.set(name, target);
  };
  let rows = stages[0] === 'embed' ? each((r) => [...(EMBEDDING[data('input_ids')[r] as number] as number[])]) : each((r) => rowOf(`hidden_${io.cell.part - 1}`, r, H, store.hidden));
  for (const stage of stages.filter((s) => s.startsWith('layer'))) {
    const layer = Number(stage.slice(5));
    const w = LAYERS[layer] as (typeof LAYERS)[number];
    const past = cl - ar;
    const cos = (r: number): number[] => rowOf('position_ids_cos', r, PAIRS, store.rope);
    const sin = (r: number): number[] => rowOf('position_ids_sin', r, PAIRS, store.rope);
    const cached = (name: string, at: (c: number) => number, c: number): number => real(store.cache, data(`past_${name}_${layer}_in`)[at(c)] as number);
    const old = Array.from({ length: past }, (_, p) => ({
      k: Array.from({ length: G * D }, (_x, c) => cached('key', (i) => i * past + p, c)),
      v: Array.from({ length: G * D }, (_x, c) => cached('value', (i) => (Math.floor(i / D) * past + p) * D + (i % D), c)),
    }));
    const fresh = rows.map((x, r) => ({ k: rotate(multiply(w.k, x), cos(r), sin(r)).map((a) => stored(store.cache, a)), v: multiply(w.v, x).map((a) => stored(store.cache, a)) }));
    write(`past_key_${layer}_out`, store.cache, G * D * ar, (i) => fresh[i % ar]?.k[Math.floor(i / ar)] as number);
    write(`past_value_${layer}_out`, store.cache, G * D * ar, (i) => fresh[Math.floor(i / D) % ar]?.v[Math.floor(i / (ar * D)) * D + (i % D)] as number);
    const columns = [...old, ...fresh];
    rows = rows.map((x, r) => {
      const masks = rowOf('attention_mask', r, cl, store.mask);
      const y = multiply(w.o, attend(rotate(multiply(w.q, x), cos(r), sin(r)), columns.map((column, c) => ({ ...column, mask: masks[c] as number }))));
      return x.map((a, i) => a + Math.tanh(y[i] as number));
    });
  }
  if (stages.at(-1) === 'head') {
    const logits = rows.map((x) => multiply(HEAD, x));
    write('logits', store.logits, ar * V, (i) => logits[Math.floor(i / V)]?.[i % V] as number);
  } else write(`hidden_${io.cell.part}`, store.hidden, ar * H, (i) => rows[Math.floor(i / H)]?.[i % H] as number);
  return outputs;
}

/** An engine's model of it. */
export const TINY_MODEL = { vocabularySize: V, rope: { inverseFrequencies: TINY.inverseFrequencies, attentionScaling: 1 }, maskValue: TINY.maskValue, padToken: 3 };

/** A text of n tokens. */
export function tokensOf(n: number, seed = 1): number[] {
  const stream = randomStream(seed);
  return Array.from({ length: n }, () => Math.floor(stream.next() * V));
}
