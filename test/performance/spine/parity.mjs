/** The load graph of every golden checkpoint against transformers: values and greedy continuation. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, run } from '../processes.mjs';

const BAR = 1e-4;

/** Folders that hold a checkpoint and its golden file; TUNDISH_GOLDENS adds another folder of such folders. */
function goldens() {
  const folders = [join(ROOT, 'test/fixtures/golden'), ...(process.env.TUNDISH_GOLDENS === undefined ? [] : [process.env.TUNDISH_GOLDENS])];
  const found = new Map([['llama32', join(ROOT, 'models/llama32/checkpoint')]]);
  for (const folder of folders) {
    for (const name of readdirSync(folder)) if (name.startsWith('llama-') && existsSync(join(folder, name, 'golden.safetensors'))) found.set(name, join(folder, name));
  }
  return found;
}

export async function parity(record) {
  for (const [name, folder] of goldens()) {
    const { stdout, stderr } = await run('node', ['packages/cli/bin/tundish.js', 'parity', folder, '--golden', join(folder, 'golden.safetensors'), '--json']);
    const report = JSON.parse(stdout || 'null');
    if (report === null) throw new Error(`parity of ${name} failed:\n${stderr}`);
    for (const [what, pattern] of [['logits', /^logits/], ['hidden states', /^hidden/], ['keys and values', /^(keys|values)/]]) {
      const worst = report.rows.filter((row) => pattern.test(row.what)).sort((a, b) => b.error - a.error)[0];
      // Above 1e-4 only where the values are so large that float32 cannot tell them apart: the trained model's outliers of 174.
      record(`${name}: ${what}`, worst.error, 'max abs error', ['<=', Math.max(BAR, worst.allowed)]);
    }
    record(`${name}: greedy tokens that differ`, report.greedy.of - report.greedy.equal, 'tokens', ['=', 0]);
  }
}
