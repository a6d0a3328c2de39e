/** Genie itself on bundles of ours: it makes dialogs, generates what our own execution generates, and refuses what is wrong. */
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadTokenizer } from '@tundish/tokenizer';
import { type ComposeOptions, type QairtLibraries, type QnnGraphPlan, bundleBinary, inspectContextBinary, lintBundle, readBundle, validateBundle, withGenie } from '@tundish/toolchain-qairt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { generateOnCodes } from './code-runner.js';
import { BOS, EOS, type WrittenBundle, compilePart, withEmulator, writeGenieBundle } from './genie-bundle.js';
import { CHECKPOINT, type LlamaPart, evaluationTokens, llamaParts } from './llama-parts.js';
import { describeWith, realLibraries } from './real-libraries.js';

const [AR, CL] = [32, 128];
const WEIGHTS = 'weights: { scheme: lpbq, bits: 4, blockSize: 32 }';
const PROMPT = 'And God said';

const real = realLibraries();
let scratch: string;
beforeAll(() => {
  ensureAddon();
  scratch = mkdtempSync(join(tmpdir(), 'tundish-genie-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

// A file without any test would be an error.
describeWith(real.slice(0, 1), 'Genie of %s', (_title, libraries) => {
  let parts: LlamaPart[];
  let bundle: WrittenBundle;
  beforeAll(async () => {
    parts = await llamaParts(`{ ar: [1, ${AR}], cl: [${CL}], parts: 1 }`, WEIGHTS);
    bundle = await writeGenieBundle(libraries, parts, join(scratch, 'whole'));
  });

  it('makes a dialog of a bundle that the lint finds nothing in, and estimates its memory', async () => {
    expect(await lint(libraries, bundle.folder)).toEqual([]);
    const before = readdirSync(bundle.folder);
    const estimates = await validateBundle(libraries, bundle.folder);
    const { graphs } = await inspectContextBinary((bundle.binaries[0] as { path: string }).path, libraries);
    expect(estimates.map(({ graph, ioBytes, spillFillBytes }) => ({ graph, ioBytes, spillFillBytes }))).toEqual(graphs.map(({ name, memory }) => ({ graph: name, ioBytes: memory?.ioBytes, spillFillBytes: memory?.spillFillBytes })));
    for (const [i, { totalMib, weightBytes, runListBytes }] of estimates.entries()) {
      const memory = graphs[i]?.memory;
      expect(weightBytes).toBeGreaterThanOrEqual(memory?.constantBytes ?? Infinity);
      expect(runListBytes).toBeGreaterThanOrEqual(memory?.runListBytes ?? Infinity);
      // Measured: 14.5 MiB, of which 8 are the processor's own memory.
      expect(totalMib).toBeGreaterThan(weightBytes / 2 ** 20);
      expect(totalMib).toBeLessThan(20);
    }
    expect(readdirSync(bundle.folder)).toEqual(before);
  });

  it.each<[form: string, count: number, most: number, options?: ComposeOptions]>([
    ['1 part', 1, 24],
    ['2 parts', 2, 20],
    ['2 parts, rotary embedding as one operation', 2, 20, { rotaryEmbedding: 'operation' }],
  ])('generates the tokens of our own execution, %s', async (form, count, most, options = {}) => {
    const cut = async (): Promise<LlamaPart[]> => (await llamaParts(`{ ar: [1, ${AR}], cl: [${CL}], parts: ${count} }`, WEIGHTS)).map((part) => ({ ...part, options }));
    const chosen = count === 1 ? bundle : await writeGenieBundle(libraries, await cut(), join(scratch, form));
    expect(await lint(libraries, chosen.folder)).toEqual([]);
    const tokenizer = await loadTokenizer(CHECKPOINT);
    // The second takes two passes of the larger graph.
    const prompts = [[...tokenizer.encode(PROMPT)].filter((token) => token !== BOS), [...(await evaluationTokens(46))].slice(1)].slice(count - 1);
    const ours = await withEmulator(libraries, chosen, async (grid) => {
      const answers = [];
      for (const prompt of prompts) answers.push(await generateOnCodes(grid, [BOS, ...prompt], most, EOS));
      return answers;
    });
    expect(ours.map((answer) => answer.length)).toEqual(prompts.map(() => most));
    await withGenie(libraries, chosen.folder, {}, async (dialog) => {
      for (const [i, prompt] of prompts.entries()) {
        expect([...(await dialog.generateTokens(prompt, { maxTokens: most }))]).toEqual(ours[i]);
        await dialog.reset();
      }
      if (count > 1) return;
      expect([...(await dialog.encode(PROMPT))]).toEqual(prompts[0]);
      expect(await dialog.generateText(PROMPT, { maxTokens: 8 })).toBe(tokenizer.decode(ours[0]?.slice(0, 8) ?? []));
    });
  });

  it('saves and restores, ends before a stop sequence, and measures', () =>
    withGenie(libraries, bundle.folder, {}, async (dialog) => {
      await expect(dialog.save(join(scratch, 'too-early'))).rejects.toMatchObject({ code: 'GENIE_CALL_FAILED', why: expect.stringContaining('nothing to save yet') as string });
      const text = await dialog.generateText(PROMPT, { maxTokens: 6 });
      const saved = join(scratch, 'saved');
      await dialog.save(saved);
      const next = await dialog.generateTokens([312], { maxTokens: 3 });
      await dialog.reset();
      expect(await dialog.generateTokens([312], { maxTokens: 3 })).not.toEqual(next);
      await dialog.reset();
      await dialog.restore(saved);
      expect(await dialog.generateTokens([312], { maxTokens: 3 })).toEqual(next);

      const word = text.trim().split(' ').at(-1) as string;
      await dialog.reset();
      await dialog.setStopSequences([word]);
      expect(await dialog.generateText(PROMPT, { maxTokens: 6 })).toBe(text.slice(0, text.indexOf(word)));
      await dialog.reset();
      await dialog.setStopSequences([]);
      expect(await dialog.generateText(PROMPT, { maxTokens: 6 })).toBe(text);

      const { initTimeUs, queries, json } = await dialog.profile();
      expect(initTimeUs).toBeGreaterThan(0);
      expect(queries.map(({ promptTokens, generatedTokens }) => [promptTokens, generatedTokens])).toMatchObject([[4, 6], {}, [2, 3], {}, {}, [4, 6]]);
      for (const query of queries) for (const number of Object.values(query)) expect(number).toBeGreaterThan(0);
      expect(JSON.parse(json)).toHaveProperty('components');
    }));

  it('is not asked what it does not survive', () =>
    withGenie(libraries, bundle.folder, {}, async (dialog) => {
      for (const tokens of [[], [4096], [-1], [0.5]]) await expect(dialog.generateTokens(tokens, { maxTokens: 1 })).rejects.toMatchObject({ code: 'QAIRT_ARGUMENT' });
      for (const maxTokens of [0, -1, NaN]) await expect(dialog.generateText('a', { maxTokens })).rejects.toMatchObject({ code: 'QAIRT_ARGUMENT' });
      await expect(dialog.generateText('a\0b', { maxTokens: 1 })).rejects.toMatchObject({ code: 'QAIRT_ARGUMENT' });
      await expect(dialog.setStopSequences([''])).rejects.toMatchObject({ code: 'QAIRT_ARGUMENT' });
      await expect(dialog.restore(join(scratch, 'nowhere'))).rejects.toMatchObject({ code: 'QAIRT_FILE' });
      await expect(dialog.generateTokens(new Array<number>(CL).fill(300), { maxTokens: 1 })).rejects.toMatchObject({ code: 'GENIE_CONTEXT_FULL' });
      expect(await dialog.encode('')).toEqual(new Int32Array());
    }));

  it('ends with its signal, and with its process', async () => {
    const cancel = new AbortController();
    const generating = withGenie(libraries, bundle.folder, { signal: cancel.signal }, (dialog) => {
      setTimeout(() => cancel.abort(), 300);
      return dialog.generateTokens([300], { maxTokens: 100 });
    });
    await expect(generating).rejects.toMatchObject({ code: 'QAIRT_CANCELLED' });
    await expect(withGenie(libraries, bundle.folder, {}, (dialog) => dialog.generateTokens([300], { maxTokens: 100, deadlineMs: 200 }))).rejects.toMatchObject({ code: 'QAIRT_DEADLINE' });
    // Its context is full in the middle of a pass. Genie 1.18 says so; later ones end the process.
    const tooLong = withGenie(libraries, bundle.folder, {}, (dialog) => dialog.generateTokens(new Array<number>(CL - AR + 1).fill(300), { maxTokens: 1 }));
    await expect(tooLong).rejects.toMatchObject(libraries.installation?.version === '2.3.0' ? { code: 'GENIE_CONTEXT_FULL' } : { code: 'QAIRT_CRASHED', fix: expect.stringContaining('docs/genie-runtime.md') as string });
  });

  describe('refuses', () => {
    const copy = (name: string): string => {
      const folder = join(scratch, name);
      cpSync(bundle.folder, folder, { recursive: true });
      return folder;
    };
    const change = (folder: string, file: string, alter: (text: string) => string): void => writeFileSync(join(folder, file), alter(readFileSync(join(folder, file), 'utf8')));
    const binaryOf = (folder: string): string => join(folder, 'mini-llama_part_1_of_1.bin');

    const broken: [name: string, alter: (folder: string) => void, expected: { code: string; why?: string }][] = [
      ['a configuration that is no JSON', (folder) => change(folder, 'genie_config.json', () => '{"dialog":'), { code: 'GENIE_CONFIG_JSON', why: 'parse error' }],
      ['a key that the schema lacks', (folder) => change(folder, 'genie_config.json', (text) => text.replace('"top-k"', '"top-q"')), { code: 'GENIE_CONFIG_SCHEMA', why: 'top-q' }],
      ['a value of another type', (folder) => change(folder, 'genie_config.json', (text) => text.replace('"n-vocab": 4096', '"n-vocab": "4096"')), { code: 'GENIE_CONFIG_SCHEMA', why: 'n-vocab' }],
      ['a larger context than the graphs have', (folder) => change(folder, 'genie_config.json', (text) => text.replace('"size": 128', '"size": 129')), { code: 'GENIE_DIALOG_REFUSED', why: '' }],
      ['a missing binary', (folder) => rmSync(binaryOf(folder)), { code: 'GENIE_DIALOG_REFUSED', why: 'mini-llama_part_1_of_1.bin' }],
      ['a binary that is cut short', (folder) => writeFileSync(binaryOf(folder), readFileSync(binaryOf(folder)).subarray(0, 1000)), { code: 'QAIRT_BINARY_DAMAGED' }],
      ['a missing tokenizer', (folder) => rmSync(join(folder, 'tokenizer.json')), { code: 'GENIE_TOKENIZER_MISSING' }],
      ['a tokenizer that is no JSON', (folder) => writeFileSync(join(folder, 'tokenizer.json'), '{'), { code: 'GENIE_TOKENIZER_DAMAGED' }],
      ['a folder without a configuration', (folder) => rmSync(join(folder, 'genie_config.json')), { code: 'GENIE_BUNDLE_NOT_FOUND' }],
    ];
    it.each(broken)('%s', async (name, alter, { code, why }) => {
      const folder = copy(name);
      alter(folder);
      await expect(validateBundle(libraries, folder)).rejects.toMatchObject({ code, ...(why === undefined ? {} : { why: expect.stringContaining(why) as string }) });
    });

    const miscompiled: [name: string, change: Parameters<typeof compilePart>[3], expected: { code: string; why?: string }][] = [
      ['a tensor of another name', { alter: (plan) => renamed(plan, 'position_ids_cos', 'cosines') }, { code: 'GENIE_DIALOG_REFUSED', why: 'position_ids_cos' }],
      ['a cache that leaves in another scale', { alter: (plan) => rescaled(plan, 'past_key_0_out', 1.01) }, { code: 'GENIE_DIALOG_REFUSED', why: 'past_key_0' }],
      ['graphs that share weights', { weightSharing: true }, { code: 'QAIRT_BINARY_SHARED' }],
    ];
    it.each(miscompiled)('%s', async (name, compiled, { code, why }) => {
      const folder = copy(name);
      rmSync(binaryOf(folder));
      await compilePart(libraries, parts, binaryOf(folder), compiled);
      await expect(validateBundle(libraries, folder)).rejects.toMatchObject({ code, ...(why === undefined ? {} : { why: expect.stringContaining(why) as string }) });
    });
  });
});

async function lint(libraries: QairtLibraries, folder: string): Promise<ReturnType<typeof lintBundle>> {
  return lintBundle(await readBundle(folder, async (path) => bundleBinary(await inspectContextBinary(path, libraries))));
}

function renamed(plan: QnnGraphPlan, from: string, to: string): QnnGraphPlan {
  const name = (given: string): string => (given === from ? to : given);
  const tensor = <T extends { readonly name: string }>(given: T): T => ({ ...given, name: name(given.name) });
  return { ...plan, inputs: plan.inputs.map(tensor), outputs: plan.outputs.map(tensor), tensors: plan.tensors.map(tensor), operations: plan.operations.map((operation) => ({ ...operation, inputs: operation.inputs.map(name), outputs: operation.outputs.map(name) })) };
}

function rescaled(plan: QnnGraphPlan, name: string, factor: number): QnnGraphPlan {
  const tensor = <T extends QnnGraphPlan['tensors'][number]>(given: T): T => (given.name === name && given.quantization?.kind === 'scale_offset' ? { ...given, quantization: { ...given.quantization, scale: given.quantization.scale * factor } } : given);
  return { ...plan, inputs: plan.inputs.map(tensor), outputs: plan.outputs.map(tensor), tensors: plan.tensors.map(tensor) };
}
