/**
 * `node tools/random-checkpoint.mjs SHAPE FOLDER [--seed N] [--layers N]`: a checkpoint of random bfloat16 weights at the shape of
 * a known model, or of its first layers, for measuring. The same seed gives the same bytes. At most one piece of one tensor is in memory.
 */
import { createCipheriv, createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const BUNDLED = join(dirname(fileURLToPath(import.meta.url)), '../models/llama32/checkpoint');
const llama3Rope = (factor) => ({ factor, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192, rope_type: 'llama3' });

/** Sizes as the models' own config.json gives them. */
const SHAPES = {
  'llama-3.2-1b': { hidden_size: 2048, intermediate_size: 8192, num_hidden_layers: 16, num_attention_heads: 32, num_key_value_heads: 8, head_dim: 64, tie_word_embeddings: true, rope_scaling: llama3Rope(32) },
  'llama-3.2-3b': { hidden_size: 3072, intermediate_size: 8192, num_hidden_layers: 28, num_attention_heads: 24, num_key_value_heads: 8, head_dim: 128, tie_word_embeddings: true, rope_scaling: llama3Rope(32) },
  'llama-3.1-8b': { hidden_size: 4096, intermediate_size: 14336, num_hidden_layers: 32, num_attention_heads: 32, num_key_value_heads: 8, head_dim: 128, tie_word_embeddings: false, rope_scaling: llama3Rope(8) },
};
const VOCABULARY = 128_256;
const SHARD_BYTES = 5e9;
const PIECE_ELEMENTS = 1 << 22;
/** Standard deviation of a matrix, and how far a norm gain strays from its middle: those of trained models of this family. */
const MATRIX_DEVIATION = 0.02;
const GAIN = { middle: 0.5, deviation: 0.1 };

const { values, positionals } = parseArgs({ allowPositionals: true, options: { seed: { type: 'string', default: '0' }, layers: { type: 'string' } } });
const [name, folder] = positionals;
const whole = SHAPES[name];
const layers = Number(values.layers ?? whole?.num_hidden_layers);
if (whole === undefined || folder === undefined || !/^\d+$/.test(values.seed) || !(Number.isInteger(layers) && layers >= 1 && layers <= whole.num_hidden_layers)) {
  console.error(`usage: node tools/random-checkpoint.mjs SHAPE FOLDER [--seed N] [--layers N]\nshapes: ${Object.keys(SHAPES).join(', ')}`);
  process.exit(2);
}
const shape = { ...whole, num_hidden_layers: layers };
if (existsSync(folder) && readdirSync(folder).length > 0) {
  console.error(`${folder} is not empty: give a new folder`);
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
writeCompanions();
await writeShards(tensorsOf(shape));

/** Config, and the tokenizer and texts of the bundled model, whose ids lie below this vocabulary. */
function writeCompanions() {
  const config = {
    architectures: ['LlamaForCausalLM'], model_type: 'llama', vocab_size: VOCABULARY, ...shape,
    hidden_act: 'silu', max_position_embeddings: 131_072, rms_norm_eps: 1e-5, rope_theta: 500_000, torch_dtype: 'bfloat16', attention_bias: false, mlp_bias: false,
    ...idsOf('bos_token_id', 'eos_token_id'),
  };
  writeFileSync(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  for (const file of ['generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'chat_template.jinja', 'calibration.txt', 'eval.txt']) {
    if (existsSync(join(BUNDLED, file))) copyFileSync(join(BUNDLED, file), join(folder, file));
  }
}

function idsOf(...fields) {
  const bundled = JSON.parse(readFileSync(join(BUNDLED, 'config.json'), 'utf8'));
  return Object.fromEntries(fields.map((field) => [field, bundled[field]]));
}

/** Names and shapes in the order of the Hugging Face files. */
function tensorsOf({ hidden_size: hidden, intermediate_size: inner, num_hidden_layers: layers, num_attention_heads: heads, num_key_value_heads: groups, head_dim: width, tie_word_embeddings: tied }) {
  const block = {
    input_layernorm: [hidden], 'mlp.down_proj': [hidden, inner], 'mlp.gate_proj': [inner, hidden], 'mlp.up_proj': [inner, hidden], post_attention_layernorm: [hidden],
    'self_attn.k_proj': [groups * width, hidden], 'self_attn.o_proj': [hidden, heads * width], 'self_attn.q_proj': [heads * width, hidden], 'self_attn.v_proj': [groups * width, hidden],
  };
  const blocks = Array.from({ length: layers }, (_, i) => Object.entries(block).map(([part, dims]) => [`model.layers.${i}.${part}.weight`, dims]));
  return [['model.embed_tokens.weight', [VOCABULARY, hidden]], ...blocks.flat(), ['model.norm.weight', [hidden]], ...(tied ? [] : [['lm_head.weight', [VOCABULARY, hidden]]])];
}

async function writeShards(tensors) {
  const shards = [[]];
  let size = 0;
  for (const tensor of tensors) {
    const bytes = 2 * elementsOf(tensor[1]);
    if (size + bytes > SHARD_BYTES && shards.at(-1).length > 0) {
      shards.push([]);
      size = 0;
    }
    shards.at(-1).push(tensor);
    size += bytes;
  }
  if (shards.length === 1) shards.push(shards[0].splice(Math.ceil(shards[0].length / 2)));
  const weightMap = {};
  for (const [index, shard] of shards.entries()) {
    const file = `model-${String(index + 1).padStart(5, '0')}-of-${String(shards.length).padStart(5, '0')}.safetensors`;
    for (const [tensor] of shard) weightMap[tensor] = file;
    await writeShard(join(folder, file), shard);
  }
  const total = tensors.reduce((sum, [, dims]) => sum + 2 * elementsOf(dims), 0);
  writeFileSync(join(folder, 'model.safetensors.index.json'), `${JSON.stringify({ metadata: { total_size: total }, weight_map: weightMap }, null, 2)}\n`);
}

async function writeShard(path, tensors) {
  const header = { __metadata__: { format: 'pt' } };
  let end = 0;
  for (const [tensor, dims] of tensors) header[tensor] = { dtype: 'BF16', shape: dims, data_offsets: [end, (end += 2 * elementsOf(dims))] };
  const json = Buffer.from(JSON.stringify(header).padEnd(Math.ceil(JSON.stringify(header).length / 8) * 8));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(json.length));
  const file = await open(path, 'wx');
  await file.write(Buffer.concat([size, json]));
  for (const [tensor, dims] of tensors) {
    const table = dims.length === 1 ? quantiles(GAIN.middle, GAIN.deviation) : quantiles(0, MATRIX_DEVIATION);
    for (const piece of randomPieces(tensor, elementsOf(dims), table)) await file.write(piece);
  }
  await file.close();
}

/** Random 16-bit words choose among 65,536 values of equal probability: a normal distribution by table. */
function* randomPieces(tensor, elements, table) {
  const key = createHash('sha256').update(`${values.seed} ${tensor}`).digest().subarray(0, 16);
  const stream = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  for (let done = 0; done < elements; done += PIECE_ELEMENTS) {
    const bytes = stream.update(Buffer.alloc(2 * Math.min(PIECE_ELEMENTS, elements - done)));
    const words = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
    for (let i = 0; i < words.length; i++) words[i] = table[words[i]];
    yield bytes;
  }
}

/** bfloat16 bits of the quantiles (i + 1/2) / 65536 of a normal distribution, by Acklam's approximation of its inverse. */
function quantiles(mean, deviation) {
  const bits = new Uint16Array(65_536);
  for (let i = 0; i < bits.length; i++) bits[i] = bfloat16Bits(mean + deviation * inverseNormal((i + 0.5) / bits.length));
  return bits;
}

function inverseNormal(p) {
  const a = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239];
  const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572];
  const c = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783];
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416];
  const polynomial = (coefficients, x) => coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);
  if (p > 0.97575) return -inverseNormal(1 - p);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return polynomial(c, q) / (polynomial(d, q) * q + 1);
  }
  const q = p - 0.5;
  return (polynomial(a, q * q) * q) / (polynomial(b, q * q) * q * q + 1);
}

/** Nearest bfloat16, half to even. */
function bfloat16Bits(value) {
  const [bits] = new Uint32Array(Float32Array.of(value).buffer);
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function elementsOf(dims) {
  return dims.reduce((product, dim) => product * dim, 1);
}
