/** The load graph of the imported model against transformers: the 50 largest logits of every position, and greedy answers. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { architectures } from '@tundish/architectures';
import { openCheckpoint, readSafetensorsHeader, readTensorBytes } from '@tundish/checkpoint';
import { importGguf } from '@tundish/checkpoint/gguf';
import { silentReporter } from '@tundish/diagnostics';
import { argmax } from '@tundish/evaluate';
import { adaptCheckpoint, modelFacts } from '@tundish/stages';
import { convertArCl } from '@tundish/transform';
import { ROOT } from '../processes.mjs';
import { logitsOf } from '../run-graphs.mjs';
import { GGUF, requireGguf } from './model.mjs';

const REFERENCE = join(ROOT, 'test/fixtures/smollm2-135m');
const IMPORTED = join(ROOT, 'test-output/smollm2-imported');

export async function parity(record) {
  requireGguf();
  const golden = await openGolden(join(REFERENCE, 'golden.safetensors'));
  for (const [dtype, prefix] of [['float32', ''], ['float16', 'fp16_']]) {
    rmSync(IMPORTED, { recursive: true, force: true });
    mkdirSync(IMPORTED, { recursive: true });
    try {
      await importGguf({ path: GGUF, folder: IMPORTED, dtype });
      const { width, logits } = await graphOf(IMPORTED);
      const found = await logits(golden('input_ids'));
      record(`${dtype}: the 50 largest logits`, worstOf(found, width, golden(`${prefix}top50_ids`), golden(`${prefix}top50_logits`)), 'max abs error', ['<=', 1e-3]);
      await recordAnswers(record, dtype, width, logits);
    } finally {
      rmSync(IMPORTED, { recursive: true, force: true });
    }
  }
}

/** Tensors of the reference by name, flat; ids as numbers. */
async function openGolden(path) {
  const { tensors } = await readSafetensorsHeader(path);
  const values = new Map();
  for (const [name, tensor] of tensors) {
    const { buffer } = new Uint8Array(await readTensorBytes(path, tensor));
    values.set(name, tensor.dtype === 'I64' ? Array.from(new BigInt64Array(buffer), Number) : new Float32Array(buffer));
  }
  return (name) => values.get(name);
}

async function graphOf(folder) {
  const checkpoint = await openCheckpoint(folder, { knownModelTypes: [...architectures.keys()], reporter: silentReporter });
  const { model, adaptation } = adaptCheckpoint(checkpoint, { reporter: silentReporter });
  const facts = modelFacts(checkpoint);
  return {
    width: adaptation.dims.vocab,
    logits: (ids) => logitsOf([convertArCl(model, adaptation.base, { ar: ids.length, cl: ids.length + 1 })], { ids, facts, folder }),
  };
}

function worstOf(found, width, ids, logits) {
  const perRow = (ids.length * width) / found.length;
  return logits.reduce((worst, value, i) => Math.max(worst, Math.abs(value - found[Math.floor(i / perRow) * width + ids[i]])), 0);
}

/** Where every token of the reference's answer is the likeliest after those before it, greedy decoding gives that answer. */
async function recordAnswers(record, dtype, width, logits) {
  const chats = JSON.parse(readFileSync(join(REFERENCE, 'chats.json'), 'utf8'));
  let equal = 0;
  for (const { prompt_ids: prompt, greedy_ids: answer } of chats) {
    const found = await logits([...prompt, ...answer.slice(0, -1)]);
    const agrees = (expected, i) => argmax(found.subarray((prompt.length - 1 + i) * width, (prompt.length + i) * width)) === expected;
    if (answer.every(agrees)) equal += 1;
  }
  record(`${dtype}: greedy answers of ${chats.length} that are equal`, equal, 'answers');
}
