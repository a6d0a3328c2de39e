/** A real chat model from its GGUF file: reference logits and continuations, the whole build, and an answer that makes sense. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { architectures } from '@tundish/architectures';
import { openCheckpoint, readSafetensorsHeader } from '@tundish/checkpoint';
import { type ImportDtype, importGguf } from '@tundish/checkpoint/gguf';
import { silentReporter } from '@tundish/diagnostics';
import { causalMask } from '@tundish/quantize';
import { adaptCheckpoint, modelFacts, ropeTables } from '@tundish/stages';
import { hostReference } from '@tundish/toolchain-host';
import { convertArCl } from '@tundish/transform';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NxWorkspace, REPOSITORY } from './nx-workspace.js';

const FILE = join(REPOSITORY, 'models/smollm2/checkpoint/SmolLM2-135M-Instruct.Q4_1.gguf');
const FIXTURES = join(REPOSITORY, 'test/fixtures/smollm2-135m');
const isThere = existsSync(FILE);
const scratch = mkdtempSync(join(tmpdir(), 'tundish-smollm2-'));
afterAll(() => rmSync(scratch, { recursive: true }));

it.skipIf(isThere)('needs the file that node tools/fetch-smollm2.mjs fetches', ({ skip }) => skip('models/smollm2/checkpoint holds no GGUF file'));

interface Chat {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly prompt_ids: readonly number[];
  readonly greedy_ids: readonly number[];
}

/** Logits of every position, float32 [tokens, V], by the load graph of a fresh import. */
async function loadGraph(dtype: ImportDtype): Promise<{ vocab: number; logits: (ids: readonly number[]) => Promise<Float32Array> }> {
  const folder = join(scratch, dtype);
  mkdirSync(folder);
  await importGguf({ path: FILE, folder, dtype });
  const checkpoint = await openCheckpoint(folder, { knownModelTypes: [...architectures.keys()] });
  const { model, adaptation } = adaptCheckpoint(checkpoint, { reporter: silentReporter });
  const logits = async (ids: readonly number[]): Promise<Float32Array> => {
    const ar = ids.length;
    const sized = convertArCl(model, adaptation.base, { ar, cl: ar + 1 });
    const rope = ropeTables(modelFacts(checkpoint).rope, 0, ar);
    const given = new Map<string, Float32Array | Int32Array>([['input_ids', Int32Array.from(ids)], ['attention_mask', causalMask(ar)], ['position_ids_cos', rope.cos], ['position_ids_sin', rope.sin]]);
    const feeds = new Map(sized.graph.inputs.map(({ name, shape }) => [name, given.get(name) ?? new Float32Array((shape ?? []).reduce<number>((count, dim) => count * Number(dim), 1))]));
    const opened = await hostReference().open({ model: sized, resolve: (location) => join(folder, location), threads: 2 });
    return (await opened.run(feeds, ['logits']).finally(() => opened.close())).get('logits') as Float32Array;
  };
  return { vocab: adaptation.dims.vocab, logits };
}

async function goldenTensor(name: string): Promise<number[]> {
  const path = join(FIXTURES, 'golden.safetensors');
  const tensor = (await readSafetensorsHeader(path)).tensors.get(name);
  if (tensor === undefined) throw new TypeError(`no tensor ${name}`);
  const view = new DataView(new Uint8Array(readFileSync(path).subarray(tensor.offset, tensor.offset + tensor.length)).buffer);
  const width = tensor.dtype === 'I64' ? 8 : 4;
  return Array.from({ length: tensor.length / width }, (_, i) => (width === 8 ? Number(view.getBigInt64(8 * i, true)) : view.getFloat32(4 * i, true)));
}

describe.skipIf(!isThere)('the load graph of SmolLM2-135M', () => {
  it.each([['float32', ''], ['float16', 'fp16_']] as const)('gives the reference logits from %s weights', async (dtype, prefix) => {
    const ids = await goldenTensor('input_ids');
    const { vocab, logits } = await loadGraph(dtype);
    const found = await logits(ids);
    const [topIds, topLogits] = [await goldenTensor(`${prefix}top50_ids`), await goldenTensor(`${prefix}top50_logits`)];
    const errors = topLogits.map((want, i) => Math.abs(want - (found[Math.floor(i / 50) * vocab + (topIds[i] as number)] as number)));
    expect(errors).toHaveLength(3500);
    expect(Math.max(...errors)).toBeLessThanOrEqual(1e-3);
    if (dtype === 'float16') return;
    for (const { prompt_ids: prompt, greedy_ids: greedy } of JSON.parse(readFileSync(join(FIXTURES, 'chats.json'), 'utf8')) as Chat[]) {
      // One pass over prompt and continuation: each token of it must be the best after those before it.
      const rows = await logits([...prompt, ...greedy]);
      const best = greedy.map((_, i) => argmax(rows.subarray((prompt.length + i - 1) * vocab, (prompt.length + i) * vocab)));
      expect(best).toEqual(greedy);
    }
  });
});

function argmax(row: Float32Array): number {
  return row.reduce((best, value, i) => (value > (row[best] as number) ? i : best), 0);
}

describe.skipIf(!isThere)('SmolLM2-135M through nx', () => {
  let workspace: NxWorkspace;
  beforeAll(async () => {
    const model = (name: string): string => readFileSync(join(REPOSITORY, 'models/smollm2', name), 'utf8');
    workspace = new NxWorkspace({
      'nx.json': '{ "analytics": false, "neverConnectToCloud": true, "plugins": ["@tundish/nx/plugin"] }\n',
      'models/smollm2/project.json': '{ "name": "smollm2" }\n',
      'models/smollm2/recipe.yaml': model('recipe.yaml'),
      'models/smollm2/recipe.lock.json': model('recipe.lock.json'),
    });
    workspace.linkPackages();
    mkdirSync(join(workspace.root, 'models/smollm2/checkpoint'));
    symlinkSync(FILE, join(workspace.root, 'models/smollm2/checkpoint/SmolLM2-135M-Instruct.Q4_1.gguf'));
    mkdirSync(join(workspace.root, 'models/llama32/checkpoint'), { recursive: true });
    for (const text of ['calibration.txt', 'eval.txt']) copyFileSync(join(REPOSITORY, 'models/llama32/checkpoint', text), join(workspace.root, 'models/llama32/checkpoint', text));
    await workspace.commit();
  });
  afterAll(() => workspace.remove());

  it('builds from the committed lock, as continuous integration does, and answers', async () => {
    const built = await workspace.nx(['run', 'smollm2:compile'], { CI: 'true' });
    expect(built.code, built.output).toBe(0);
    expect(built.output).toContain('container: models/smollm2/artifacts/container');
    const ask = ['--prompt', 'What is the capital of France?', '--chat', '--temperature', '0', '--max-tokens', '24'];
    const answer = await workspace.tundish(['generate', 'models/smollm2/artifacts/container', ...ask]);
    expect(answer.code, answer.output).toBe(0);
    expect(answer.output).toContain('Paris');
    const chat = await workspace.nx(['run', 'smollm2:chat', '--temperature', '0', '--max-tokens', '24'], {}, 'What is the capital of France?\n');
    expect(chat.output).toContain('Paris');
  });

  it('keeps the perplexity within 1.40 of the checkpoint', async () => {
    const evaluated = await workspace.tundish(['evaluate', 'models/smollm2', '--limit', '6', '--json']);
    expect(evaluated.code, evaluated.output).toBe(0);
    const results = JSON.parse(evaluated.output.slice(evaluated.output.indexOf('[\n'), evaluated.output.lastIndexOf('\n]') + 2)) as { subject: string; perplexityRatio: number }[];
    const ratio = Object.fromEntries(results.map(({ subject, perplexityRatio }) => [subject, perplexityRatio]));
    expect(ratio['load']).toBeCloseTo(1, 4);
    expect(ratio['container']).toBeLessThanOrEqual(1.4);
  });
});
