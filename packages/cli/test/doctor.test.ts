/** doctor: what it finds on this machine, and that a missing thing has a code and a remedy. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Workspace, FLOAT_RECIPE } from '../../stages/test/workspace.js';
import { cacheFindings } from '../src/doctor/machine.js';
import { nodeFinding, nxFinding } from '../src/doctor/tools.js';
import { json, main, tundish } from './built-model.js';

interface Report {
  readonly ok: boolean;
  readonly findings: { name: string; status: string; value: string; fix?: string }[];
}

let workspace: Workspace;
beforeAll(async () => {
  workspace = Workspace.make(FLOAT_RECIPE);
  await workspace.lock();
});

describe('doctor', () => {
  it('names tools, kernels, machine, disk and models, and a remedy for everything that is not as it should be', () => {
    const { ok, findings } = json<Report>(tundish(workspace, 'doctor', '--json'));
    expect(ok).toBe(true);
    expect(findings.map(({ name }) => name)).toEqual(['node', 'nx', 'toolchain host', 'QAIRT libraries', 'native kernels', 'cmake', 'C++ compiler', 'processor', 'memory', 'cache root', 'disk', 'model tiny']);
    expect(findings.filter(({ status, fix }) => (status === 'ok') === (fix !== undefined))).toEqual([]);
    expect(findings.find(({ name }) => name === 'node')?.value).toBe(process.versions.node);
    expect(findings.find(({ name }) => name === 'toolchain host')?.value).toMatch(/^onnxruntime \d.*: can be built here$/);
  });

  it('has code 1 for a lock that wants another toolchain than is installed', async () => {
    const other = Workspace.make(FLOAT_RECIPE);
    await other.lock();
    const lock = readFileSync(other.path('recipe.lock.json'), 'utf8');
    writeFileSync(other.path('recipe.lock.json'), lock.replaceAll(/"onnxruntime [\d.]+"/g, '"onnxruntime 0.1.0"'));
    const { findings } = json<Report>(await main(other, 'doctor', '--json'), 1);
    expect(findings.at(-1)).toEqual({ name: 'model tiny', status: 'problem', value: expect.stringMatching(/^is pinned to onnxruntime 0\.1\.0; installed is onnxruntime \d/), fix: expect.stringContaining('npx nx g @tundish/nx:lock tiny') });
    writeFileSync(other.path('recipe.lock.json'), '{');
    const { code, stdout } = await main(other, 'doctor');
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^problem: model tiny\n {2}fix: npx nx g @tundish\/nx:lock tiny$/m)]);
  });

  it('refuses node before 20.19 and nothing later', () => {
    expect(['18.20.1', '20.18.9', '20.19.0', '20.20.0', '22.0.0', '24.1.2'].map((version) => nodeFinding(version).status)).toEqual(['problem', 'problem', 'ok', 'ok', 'ok', 'ok']);
  });

  it('warns where Nx is not installed, and looks at the nearest folder of a cache that does not exist yet', () => {
    expect(nxFinding(workspace.root)).toMatchObject({ status: 'warning', fix: expect.stringContaining('npm install') });
    const root = join(workspace.root, 'a', 'b');
    expect(cacheFindings(root)[0]).toMatchObject({ status: 'ok', value: `${root}, 0 entries` });
  });

  it.skipIf(process.getuid?.() === 0)('finds a cache root that cannot be written', () => {
    const root = join(workspace.root, 'locked');
    mkdirSync(root);
    chmodSync(root, 0o555);
    expect(cacheFindings(root)[0]).toMatchObject({ status: 'problem' });
    chmodSync(root, 0o755);
  });
});
