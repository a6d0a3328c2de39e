/**
 * A twin of the bundled checkpoint that computes the same function and is much worse to quantize: channels of norms, of up_proj, of
 * values and of keys are scaled by powers of two, and what reads them by the inverse.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../processes.mjs';
import { CHECKPOINT } from './workspace.mjs';

const FOLDER = join(ROOT, 'test-output/device/mini-llama-outliers');
const [HEADS, GROUP, WIDTH] = [2, 4, 32];
/** The strongest channels of the norm before attention and of that before the MLP, the next ones, and rows of up_proj, by layer. */
const CHANNELS = [
  { attention: [[102, 83, 124, 27], [171, 101]], mlp: [[19, 83, 74, 105], [125, 28]], up: [613, 38, 297, 1] },
  { attention: [[248, 216, 34, 228], [107, 55]], mlp: [[162, 239, 52, 208], [60, 95]], up: [377, 242, 395, 700] },
  { attention: [[248, 148, 111, 144], [30, 162]], mlp: [[208, 217, 232, 127], [117, 23]], up: [476, 425, 564, 256] },
  { attention: [[248, 79, 163, 15], [129, 143]], mlp: [[208, 71, 125, 107], [31, 3]], up: [439, 45, 711, 700] },
];

/** @returns its folder, made when it is not there */
export function outliersCheckpoint() {
  if (existsSync(FOLDER)) return FOLDER;
  const partial = `${FOLDER}.part`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  cpSync(CHECKPOINT, partial, { recursive: true });
  const weights = new Weights(readFileSync(join(CHECKPOINT, 'model.safetensors')));
  for (const [layer, channels] of CHANNELS.entries()) scaleLayer(weights, layer, channels);
  writeFileSync(join(partial, 'model.safetensors'), weights.bytes);
  renameSync(partial, FOLDER);
  return FOLDER;
}

function scaleLayer(weights, layer, { attention, mlp, up }) {
  const name = (part) => `model.layers.${layer}.${part}.weight`;
  const [q, k, v, o] = ['q', 'k', 'v', 'o'].map((part) => name(`self_attn.${part}_proj`));
  scaleNorm(weights, name('input_layernorm'), [q, k, v], attention);
  scaleNorm(weights, name('post_attention_layernorm'), [name('mlp.gate_proj'), name('mlp.up_proj')], mlp);
  weights.rows(name('mlp.up_proj'), up, 5);
  weights.columns(name('mlp.down_proj'), up, -5);
  for (let head = 0; head < HEADS; head++) {
    const value = (5 * head + layer) % WIDTH;
    const pair = (3 * head + layer) % (WIDTH / 2);
    const both = (of) => [of * WIDTH + pair, of * WIDTH + pair + WIDTH / 2];
    weights.rows(v, [head * WIDTH + value], 4);
    weights.rows(k, both(head), 3);
    for (let query = head * GROUP; query < (head + 1) * GROUP; query++) {
      weights.columns(o, [query * WIDTH + value], -4);
      weights.rows(q, both(query), -3);
    }
  }
}

function scaleNorm(weights, norm, readers, [strongest, next]) {
  for (const [channels, exponent] of [[strongest, 5], [next, -3]]) {
    weights.rows(norm, channels, exponent);
    for (const reader of readers) weights.columns(reader, channels, -exponent);
  }
}

/** Tensors of a safetensors file, bfloat16, scaled where they lie. */
class Weights {
  constructor(bytes) {
    this.bytes = bytes;
    this.start = 8 + Number(bytes.readBigUInt64LE(0));
    this.header = JSON.parse(bytes.subarray(8, this.start).toString());
  }

  rows(name, rows, exponent) {
    const { shape: [, columns = 1] } = this.header[name];
    for (const row of rows) for (let column = 0; column < columns; column++) this.#scale(name, row * columns + column, exponent);
  }

  columns(name, columns, exponent) {
    const { shape: [rows, width] } = this.header[name];
    for (const column of columns) for (let row = 0; row < rows; row++) this.#scale(name, row * width + column, exponent);
  }

  #scale(name, index, exponent) {
    const at = this.start + this.header[name].data_offsets[0] + 2 * index;
    const bits = this.bytes.readUInt16LE(at);
    // The exponent of a bfloat16 is in bits 7 to 14; zero stays zero, and no weight of this model is near the ends.
    if ((bits & 0x7f80) !== 0) this.bytes.writeUInt16LE(bits + exponent * 0x80, at);
  }
}
