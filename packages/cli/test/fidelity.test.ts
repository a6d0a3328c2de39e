/** tundish fidelity of a model that is built for a device, with the vendor's emulator; and what it refuses. */
import { readFileSync } from 'node:fs';
import { encodeLock } from '@tundish/recipe';
import { resolveLock } from '@tundish/stages';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { Workspace, repositoryPath } from '../../stages/test/workspace.js';
import { realLibraries } from '../../toolchain-qairt/test/real-libraries.js';
import type { FidelityReport } from '../src/fidelity/report.js';
import { programSetup } from '../src/program-setup.js';
import { json, main } from './built-model.js';

const CHECKPOINT = repositoryPath('models/llama32/checkpoint');
const real = realLibraries();
const start = process.cwd();

beforeAll(ensureAddon);
afterAll(() => process.chdir(start));

/** Locked as the command does it, with the version of its toolchain. */
async function locked(toolchain: string, quantize = 'weights: { scheme: lpbq, bits: 4, blockSize: 32 }, calibration: { text: ./checkpoint/calibration.txt, windows: 8, windowLength: 128 }'): Promise<Workspace> {
  const workspace = Workspace.make(`checkpoint: ./checkpoint
${toolchain}
graphs: { ar: [1, 32], cl: [256], parts: 2 }
quantize: { recipe: minmax, ${quantize} }
transform: { mha2sha: true }
evaluate: { text: ./checkpoint/eval.txt, windowLength: 192 }
`, CHECKPOINT);
  const lock = await resolveLock({ ...programSetup(workspace.root), modelRoot: workspace.model });
  workspace.write('recipe.lock.json', new TextDecoder().decode(encodeLock(lock)));
  return workspace;
}

describe.skipIf(real.length === 0)('of a model for a device', () => {
  let model: Workspace;
  beforeAll(async () => {
    model = await locked('toolchain: qairt\nchipset: sm8750');
  });

  it('everything passes: operations, encodings, logits, caches', async () => {
    const report = json<FidelityReport>(await main(model, 'fidelity', model.model, '--html', 'page.html', '--json'));
    expect(report).toMatchObject({ findings: [], origin: { model: 'tiny', chip: 'SM8750', hexagon: 79, graphs: ['ar32_cl256_1_of_2', 'ar32_cl256_2_of_2'], position: 128, tokens: 32 } });
    expect(report.operations.length).toBeGreaterThan(600);
    expect([...new Set(report.layers.map(({ layer }) => layer))]).toEqual(['embedding', '0', '1', '2', '3', 'head']);
    expect(new Set(report.encodings.map(({ state }) => state))).toEqual(new Set(['equal', 'folded', 'moved', 'step']));
    const { deviceToSimulation, checkpointToDevice, positions, loss, caches } = report.agreement as NonNullable<FidelityReport['agreement']>;
    expect(positions).toBe(2 * 191);
    // Measured over 8 windows of 512: 0.00010, 1 % of the loss.
    expect(deviceToSimulation.mean).toBeLessThan(0.0003);
    expect(deviceToSimulation.mean).toBeGreaterThan(0);
    expect(checkpointToDevice.mean).toBeGreaterThan(0.01);
    expect(loss.map(({ quantized }) => quantized)).toEqual(['weights', 'weights and activations, cache in 16 bits']);
    expect(caches.map(({ layer }) => layer)).toEqual([0, 1, 2, 3]);
    expect(Math.max(...caches.flatMap(({ key, value }) => [key.mean, value.mean]))).toBeLessThan(0.2);
    const page = readFileSync(model.path('../../page.html'), 'utf8');
    expect(page.match(/<rect /g)?.length).toBe(report.layers.length);
  });

  it('in half precision', async () => {
    const half = await locked('toolchain: qairt\nchipset: sm8750\nconvert: { precision: fp16 }', 'activations: none, weights: { scheme: per_channel, bits: 4 }');
    const report = json<FidelityReport>(await main(half, 'fidelity', half.model, '--limit', '1', '--json'));
    expect(report).toMatchObject({ findings: [], warnings: [], origin: { precision: 'fp16', simulation: expect.stringMatching(/float32$/) as string } });
    expect(report.operations.length).toBeGreaterThan(600);
    expect(new Set(report.encodings.map(({ state }) => state))).toEqual(new Set(['equal', 'folded', 'step']));
    const { deviceToSimulation, checkpointToDevice, loss, caches } = report.agreement as NonNullable<FidelityReport['agreement']>;
    // Measured: 0.000006 of 0.04.
    expect(deviceToSimulation.mean).toBeLessThan(0.00003);
    expect(checkpointToDevice.mean).toBeGreaterThan(0.01);
    expect(loss).toEqual([]);
    expect(Math.max(...caches.flatMap(({ key, value }) => [key.mean, value.mean]))).toBeLessThan(0.02);
  });

  it('graphs that the model does not have are refused', async () => {
    expect(await main(model, 'fidelity', model.model, '--no-text', '--graphs', 'ar7-cl9')).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^CLI_USAGE: the model has no graphs ar7-cl9[^]*name one of ar32-cl256, ar1-cl256/m) as string });
  });
});

it('a page that cannot be written is refused before anything is measured', async () => {
  const model = await locked('toolchain: host');
  expect(await main(model, 'fidelity', model.model, '--html', 'nowhere/page.html')).toMatchObject({ code: 2, stderr: expect.stringMatching(/^CLI_USAGE: the page cannot be written/m) as string });
});

it('of a model for this machine is refused', async () => {
  const model = await locked('toolchain: host');
  expect(await main(model, 'fidelity', model.model)).toMatchObject({ code: 3, stdout: '', stderr: expect.stringMatching(/^STAGE_EXECUTION: tiny is not built for a device/m) as string });
});
