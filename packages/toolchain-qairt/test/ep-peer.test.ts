/** A second compiler of the same block: ONNX Runtime's QNN provider and our composer are equally far from exact arithmetic. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { libraryPath } from '@tundish/toolchain-qairt';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { evaluationTokens, llamaParts } from './llama-parts.js';
import { onnxOf } from './plan-onnx.js';
import { pythonWith } from './python-packages.js';
import { describeWith, realLibraries } from './real-libraries.js';
import { type TappedRun, runTapped } from './tapped-run.js';

const newest = realLibraries().filter(([, { installation }]) => installation?.version === '2.7.0').slice(0, 1);
/** Norm, projections, silu, and the sum of one layer. */
const [FROM, TO] = ['_model_layers_1_Add_output_0', '_model_layers_1_Add_1_output_0'];

// A file without any test would be an error.
describeWith(newest, '%s', (_title, libraries) => {
  let scratch: string;
  beforeAll(() => {
    ensureAddon();
    scratch = mkdtempSync(join(tmpdir(), 'tundish-ep-peer-'));
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  function written(name: string, bytes: Uint8Array): string {
    const path = join(scratch, name);
    writeFileSync(path, bytes);
    return path;
  }

  it('is as far from exact arithmetic as our own composition', async ({ skip }) => {
    const python = pythonWith(join(scratch, 'venv'), ['onnxruntime==1.31.1', 'numpy']);
    if (python === undefined) return skip('no Python with ONNX Runtime');
    const parts = await llamaParts('{ ar: [32], cl: [128], parts: 2 }', 'weights: { scheme: per_channel, bits: 8 }');
    const { plan, codes, part } = (await runTapped(libraries, parts, await evaluationTokens(64)))[1] as TappedRun;
    const operations = plan.operations.filter(({ outputs: [name = ''] }) => name === TO || /layers_1_(post_attention_layernorm|mlp)_/.test(name));
    expect(operations).toHaveLength(8);
    const model = written('block.onnx', onnxOf(plan, operations, { from: FROM, to: TO, paths: part.paths }));
    const given = codes.get(FROM) as Uint16Array;
    const input = written('input', new Uint8Array(given.buffer, given.byteOffset, given.byteLength));
    const outputOf = (name: string, provider?: string): Uint16Array => {
      const outputs = join(scratch, name);
      mkdirSync(outputs);
      const asked = { model, outputs, inputs: { [FROM]: input }, soc: 69, backend: libraryPath(libraries, 'htp'), ...(provider === undefined ? {} : { provider }) };
      const { status, stderr } = spawnSync(python, [fileURLToPath(new URL('programs/run-ep-context.py', import.meta.url)), written(`${name}.json`, Buffer.from(JSON.stringify(asked)))], { encoding: 'utf8', timeout: 300_000 });
      expect([status, stderr]).toEqual([0, '']);
      return new Uint16Array(Uint8Array.from(readFileSync(join(outputs, TO))).buffer);
    };
    const exact = outputOf('cpu');
    const [theirs, ours] = [outputOf('provider', join(libraries.folder, 'libonnxruntime_providers_qnn.so')), codes.get(TO) as Uint16Array].map((found) => statisticsOf(found, exact)) as [Statistics, Statistics];
    // Measured: at most 2 codes, 0.32 and -0.16 on average, of either.
    expect(theirs).toEqual(ours);
    expect(ours.max).toBeLessThanOrEqual(3);
    expect(ours.mean).toBeGreaterThan(0.1);
  });
});

/** Differences of codes. */
interface Statistics {
  readonly max: number;
  readonly mean: number;
  readonly bias: number;
}

function statisticsOf(found: Uint16Array, exact: Uint16Array): Statistics {
  expect(found.length).toBe(exact.length);
  const errors = Array.from(found, (code, i) => code - (exact[i] as number));
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const sizes = errors.map(Math.abs);
  return { max: Math.max(...sizes), mean: mean(sizes), bias: mean(errors) };
}
