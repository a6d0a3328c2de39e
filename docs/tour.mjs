/** Prints the numbers of docs/tour.md: one weight of the bundled model at one stage of the build. Usage: node docs/tour.mjs STEP */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSafetensorsHeader, readTensorBytes, widenToFloat32 } from '@tundish/checkpoint';
import { cacheRootOf } from '@tundish/cli';
import { dataTypeName, decodeModel } from '@tundish/graph';
import { loadKernels } from '@tundish/native';
import { modelLayout } from '@tundish/stages/lock';
import { openStore, readManifest } from '@tundish/store';

const WEIGHT = 'model.layers.0.self_attn.q_proj.weight';
const WORKSPACE = join(dirname(fileURLToPath(import.meta.url)), '..');
const MODEL = 'models/llama32';
const CHECKPOINT = join(WORKSPACE, MODEL, 'checkpoint', 'model.safetensors');
const CELL = 'ar1-cl512-1of2';
const HEAD = '_sha_3';
const BLOCK = 32;

/** The weight as float32, [256, 256] row-major. */
async function weightValues() {
  const { tensors } = await readSafetensorsHeader(CHECKPOINT);
  const entry = tensors.get(WEIGHT);
  return { entry, values: widenToFloat32(entry.dtype, await readTensorBytes(CHECKPOINT, entry)) };
}

async function showCheckpoint() {
  const { entry, values } = await weightValues();
  console.log(`${WEIGHT}: ${entry.dtype} [${entry.shape.join(', ')}], bytes ${entry.offset} to ${entry.offset + entry.length - 1} of model.safetensors (${entry.length})`);
  console.log(`first values of row 0: ${[...values.subarray(0, 4)].join(', ')}`);
}

/** LPBQ of row 0, from the checkpoint alone. */
async function showCodes() {
  const { entry, values } = await weightValues();
  const [rows, columns] = entry.shape;
  const { codes, blockScale, channelScale } = loadKernels().quantizeLpbq(values, rows, columns, BLOCK);
  const block = [...values.subarray(0, BLOCK)];
  const code = (i) => ((i % 2 === 0 ? codes[i >> 1] & 15 : codes[i >> 1] >> 4) - 8);
  const scale = Math.fround(blockScale[0] * channelScale[0]);
  console.log(`block 0 of row 0: ${BLOCK} values from ${Math.min(...block)} to ${Math.max(...block)}`);
  console.log(`channel scale of row 0: ${channelScale[0]}`);
  console.log(`block scales of row 0: ${[...blockScale.subarray(0, columns / BLOCK)].join(' ')}`);
  console.log(`scale of block 0: ${blockScale[0]} x ${channelScale[0]} = ${scale}`);
  console.log(`codes of block 0: ${block.map((_, i) => code(i)).join(' ')}`);
  console.log(`first bytes: ${Buffer.from(codes.subarray(0, 4)).toString('hex')} (low nibble first, code + 8)`);
  for (let i = 0; i < 4; i++) console.log(`  ${block[i]} -> ${code(i)} -> ${Math.fround(code(i) * scale)}`);
}

/** Initializers that hold the weight and the nodes on the way from them to the MatMul. */
function showGraph(stage, subject, head = '') {
  const manifest = readManifest(modelLayout(WORKSPACE, MODEL).manifest(stage, subject));
  const store = openStore(cacheRootOf(WORKSPACE));
  const file = manifest.outputs.find(({ name }) => name.endsWith('.onnx') && (subject !== 'part1of2' || name.startsWith('ar1_cl512')));
  const { graph } = decodeModel(readFileSync(store.pathOf(file)));
  console.log(`${stage}${subject === null ? '' : ` ${subject}`}: ${file.name}, ${file.size} bytes`);
  const carriers = graph.initializers.filter(({ name }) => name.startsWith(WEIGHT) && (name.endsWith(head) || name.includes(`${head}.`)));
  for (const { name, tensor } of carriers) {
    const place = tensor.kind === 'external' ? `${tensor.location} +${tensor.offset}, ${tensor.length} bytes` : `in the graph, ${tensor.data.byteLength} bytes`;
    console.log(`  ${name.replace(WEIGHT, 'W')}: ${dataTypeName(tensor.dtype)} [${tensor.dims.join(', ')}], ${place}`);
  }
  const reached = new Set(carriers.map(({ name }) => name));
  for (const node of graph.nodes) {
    if (!node.inputs.some((input) => input !== undefined && reached.has(input.name))) continue;
    console.log(`  ${node.opType} ${node.name.replace(WEIGHT, 'W')}`);
    if (!/^(MatMul|Code)/.test(node.opType)) for (const output of node.outputs) reached.add(output.name);
  }
}

/** Whether the codes in the store are the ones that `codes` computes. */
async function compareCodes() {
  const { outputs } = readManifest(modelLayout(WORKSPACE, MODEL).manifest('quantize', null));
  const stored = readFileSync(openStore(cacheRootOf(WORKSPACE)).pathOf(outputs.find(({ name }) => name === 'block-0.weights')));
  const { entry, values } = await weightValues();
  const { codes } = loadKernels().quantizeLpbq(values, ...entry.shape, BLOCK);
  const at = stored.indexOf(codes);
  console.log(`  the codes computed by \`codes\` are at byte ${at} of block-0.weights`);
}

const STEPS = {
  checkpoint: showCheckpoint,
  codes: showCodes,
  load: () => showGraph('load', null),
  optimize: () => showGraph('optimize', null),
  quantize: async () => {
    showGraph('quantize', null);
    await compareCodes();
  },
  arcl: () => showGraph('arcl', 'ar1-cl512'),
  transform: () => showGraph('transform', CELL, HEAD),
  convert: () => showGraph('convert', CELL, HEAD),
  compile: () => showGraph('compile', 'part1of2', HEAD),
};

const step = STEPS[process.argv[2] ?? ''];
if (step === undefined) {
  console.error(`usage: node docs/tour.mjs STEP, one of: ${Object.keys(STEPS).join(', ')}`);
  process.exitCode = 2;
} else {
  await step();
}
