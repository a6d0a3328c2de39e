/** Seeded weights of the model that the conformance suite builds: quantized codes, and the float values that they stand for. */
import { DataType, type ExternalTensor, byteLength, bytesOf } from '@tundish/graph';

/** Sizes of the tiny decoder; all distinct from AR and CL of the suite where it matters. */
export const TINY = { vocab: 48, hidden: 64, heads: 4, groups: 2, headDim: 16, inner: 96, layers: 2, blockSize: 16 } as const;

/** Logical name of the one weight file. */
export const WEIGHTS = 'tiny.weights';

/** Per-tensor grid of the embedding table. */
export const EMBEDDING = { scale: Math.fround(4 / 65535), zeroPoint: 32768 } as const;

export interface TinyWeights {
  readonly bytes: Uint8Array;
  /** Byte range of a named tensor. */
  range(name: string): ExternalTensor;
}

/** Uniform numbers in [0,1) from a 32-bit linear congruential generator. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}

/** Names and shapes [out, in] of the quantized matrices of a layer. */
export function layerMatrices(layer: number): readonly (readonly [string, number, number])[] {
  const { hidden, heads, groups, headDim, inner } = TINY;
  const prefix = `model.layers.${layer}`;
  return [
    [`${prefix}.self_attn.q_proj.weight`, heads * headDim, hidden],
    [`${prefix}.self_attn.k_proj.weight`, groups * headDim, hidden],
    [`${prefix}.self_attn.v_proj.weight`, groups * headDim, hidden],
    [`${prefix}.self_attn.o_proj.weight`, hidden, heads * headDim],
    [`${prefix}.mlp.gate_proj.weight`, inner, hidden],
    [`${prefix}.mlp.up_proj.weight`, inner, hidden],
    [`${prefix}.mlp.down_proj.weight`, hidden, inner],
  ];
}

/** Width of a matrix with one scale a row; undefined for LPBQ, which most have. */
export function channelBits(name: string): 4 | 8 | undefined {
  if (name === 'lm_head.weight' || name === 'model.layers.1.mlp.down_proj.weight') return 8;
  return name === 'model.layers.1.self_attn.v_proj.weight' ? 4 : undefined;
}

export function tinyWeights(): TinyWeights {
  const file = new WeightFile();
  const random = seededRandom(20);
  for (let layer = 0; layer < TINY.layers; layer++) {
    for (const [name, rows, columns] of layerMatrices(layer)) addMatrix(file, random, name, rows, columns);
    for (const norm of ['input_layernorm', 'post_attention_layernorm']) addGain(file, random, `model.layers.${layer}.${norm}.weight`);
  }
  addGain(file, random, 'model.norm.weight');
  addEmbedding(file, random);
  addMatrix(file, random, 'lm_head.weight', TINY.vocab, TINY.hidden);
  return file;
}

class WeightFile implements TinyWeights {
  readonly #parts: Uint8Array[] = [];
  readonly #ranges = new Map<string, ExternalTensor>();
  #size = 0;

  add(name: string, dtype: DataType, dims: readonly number[], data: Uint8Array): void {
    this.#ranges.set(name, { kind: 'external', dtype, dims, location: WEIGHTS, offset: this.#size, length: byteLength(dtype, dims) });
    const padding = (64 - (data.byteLength % 64)) % 64;
    this.#parts.push(data, new Uint8Array(padding));
    this.#size += data.byteLength + padding;
  }

  range(name: string): ExternalTensor {
    return this.#ranges.get(name) as ExternalTensor;
  }

  get bytes(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts));
  }
}

function addMatrix(file: WeightFile, random: () => number, name: string, rows: number, columns: number): void {
  const bits = channelBits(name);
  if (bits === undefined) addBlockwise(file, random, name, rows, columns);
  else addChannels(file, random, name, rows, columns, bits);
}

/** Codes + 8 as UINT4, integer block scales, float32 channel scales; and `{name}.float`, fround(code * fround(scales)). */
function addBlockwise(file: WeightFile, random: () => number, name: string, rows: number, columns: number): void {
  const { blockSize } = TINY;
  const blocks = columns / blockSize;
  const codes = Uint8Array.from({ length: rows * columns }, () => Math.floor(random() * 16));
  const blockScale = Uint8Array.from({ length: rows * blocks }, () => 1 + Math.floor(random() * 16));
  const channelScale = Float32Array.from({ length: rows }, () => (0.8 + 0.4 * random()) / (40 * Math.sqrt(columns)));
  const values = Float32Array.from(codes, (code, i) => {
    const row = Math.floor(i / columns);
    const block = row * blocks + Math.floor((i % columns) / blockSize);
    return (code - 8) * Math.fround((blockScale[block] as number) * (channelScale[row] as number));
  });
  file.add(name, DataType.UINT4, [rows, columns], packed(codes));
  file.add(`${name}.block_scale`, DataType.UINT8, [rows, blocks], blockScale);
  file.add(`${name}.channel_scale`, DataType.FLOAT, [rows, 1], bytesOf(channelScale));
  file.add(`${name}.zero_point`, DataType.UINT4, [rows, blocks], new Uint8Array((rows * blocks) / 2).fill(0x88));
  file.add(`${name}.float`, DataType.FLOAT, [rows, columns], bytesOf(values));
}

function addGain(file: WeightFile, random: () => number, name: string): void {
  file.add(name, DataType.FLOAT, [TINY.hidden], bytesOf(Float32Array.from({ length: TINY.hidden }, () => 0.5 + random())));
}

function addEmbedding(file: WeightFile, random: () => number): void {
  const name = 'model.embed_tokens.weight';
  const dims = [TINY.vocab, TINY.hidden];
  const codes = Uint16Array.from({ length: TINY.vocab * TINY.hidden }, () => Math.floor(random() * 65536));
  file.add(name, DataType.UINT16, dims, bytesOf(codes));
  file.add(`${name}.float`, DataType.FLOAT, dims, bytesOf(Float32Array.from(codes, (code) => (code - EMBEDDING.zeroPoint) * EMBEDDING.scale)));
}

/** Codes with one scale a row, of 4 bits as UINT4, code + 8; and `{name}.float`. */
function addChannels(file: WeightFile, random: () => number, name: string, rows: number, columns: number, bits: 4 | 8): void {
  const half = 2 ** (bits - 1);
  const codes = Int8Array.from({ length: rows * columns }, () => Math.floor(random() * 2 * half) - half);
  const scale = Float32Array.from({ length: rows }, () => (0.5 + random()) / (4.7 * half));
  if (bits === 8) file.add(name, DataType.INT8, [rows, columns], bytesOf(codes));
  else {
    file.add(name, DataType.UINT4, [rows, columns], packed(Uint8Array.from(codes, (code) => code + half)));
    file.add(`${name}.zero_point`, DataType.UINT4, [rows], new Uint8Array(rows / 2).fill(0x88));
  }
  file.add(`${name}.scale`, DataType.FLOAT, [rows], bytesOf(scale));
  file.add(`${name}.float`, DataType.FLOAT, [rows, columns], bytesOf(Float32Array.from(codes, (code, i) => code * (scale[Math.floor(i / columns)] as number))));
}

/** Two unsigned codes a byte, the first in the low half. */
function packed(codes: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: codes.length / 2 }, (_, i) => (codes[2 * i] as number) | ((codes[2 * i + 1] as number) << 4));
}
