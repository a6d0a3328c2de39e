/** export-dlc and export-epcontext on a model for a device, with the vendor's libraries. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { summarizeOnnx } from '@tundish/graph/summary';
import { encodeLock } from '@tundish/recipe';
import { resolveLock } from '@tundish/stages';
import { dlcGraphs } from '@tundish/toolchain-qairt';
import { beforeAll, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { CHECKPOINT } from '../../toolchain-qairt/test/llama-parts.js';
import { describeWith, realLibraries } from '../../toolchain-qairt/test/real-libraries.js';
import { Workspace, temporaryFolder } from '../../stages/test/workspace.js';
import { programSetup } from '../src/program-setup.js';
import { builtModel, json, main } from './built-model.js';

const real = realLibraries();
const RECIPE = `checkpoint: ./checkpoint
toolchain: qairt
chipset: [sm8750, sm8650]
graphs: { ar: [1, 32], cl: [128], parts: 1 }
quantize: { recipe: minmax, weights: { scheme: lpbq, bits: 4, blockSize: 32 }, calibration: { text: ./checkpoint/calibration.txt, windows: 4, windowLength: 128 } }
`;

interface Exported {
  readonly path: string;
  readonly bytes: number;
}

it('refuse a model that is built for this machine', async () => {
  const workspace = await builtModel('load');
  for (const verb of ['export-dlc', 'export-epcontext']) {
    expect(await main(workspace, verb, 'models/tiny', '--to', 'exported')).toMatchObject({ code: 3, stderr: expect.stringContaining('CLI_EXPORT_HOST') as string });
  }
  expect(existsSync(join(workspace.root, 'exported'))).toBe(false);
});

describeWith(real.slice(0, 1), '%s', (_title, libraries) => {
  let workspace: Workspace;
  beforeAll(async () => {
    ensureAddon();
    workspace = Workspace.make(RECIPE, CHECKPOINT);
    writeFileSync(workspace.path('recipe.lock.json'), encodeLock(await resolveLock({ ...programSetup(workspace.root), modelRoot: workspace.model })));
  });

  it('writes a container a graph, which is composed again', async () => {
    const folder = join(temporaryFolder(), 'dlc');
    const files = json<Exported[]>(await main(workspace, 'export-dlc', 'models/tiny', '--to', folder, '--json'));
    expect(files.map(({ path }) => path)).toEqual(['ar1_cl128_1_of_1', 'ar32_cl128_1_of_1'].map((name) => join(folder, `${name}.dlc`)));
    expect(readdirSync(folder)).toHaveLength(2);
    for (const { path, bytes } of files) {
      expect(readFileSync(path)).toHaveLength(bytes);
      expect((await dlcGraphs(path, libraries)).map(({ name }) => `${name}.dlc`)).toEqual([basename(path)]);
    }
  });

  it('writes the binary of every chip, and a wrapper a graph beside it', async () => {
    const files = json<Exported[]>(await main(workspace, 'export-epcontext', 'models/tiny', '--json'));
    const folder = join(workspace.root, 'models', 'tiny', 'artifacts', 'epcontext');
    expect(files.map(({ path }) => path)).toEqual(['sm8650', 'sm8750'].flatMap((chip) => ['part1_of_1.bin', 'ar1_cl128_1_of_1.onnx', 'ar32_cl128_1_of_1.onnx'].map((name) => join(folder, chip, name))));
    for (const { path } of files.filter((file) => file.path.endsWith('.onnx'))) {
      const summary = summarizeOnnx(path);
      expect(summary.epContexts).toMatchObject([{ partition: basename(path, '.onnx'), binary: { path: 'part1_of_1.bin' }, isMain: true }]);
      expect(summary.inputs.find(({ name }) => name === 'attention_mask')).toMatchObject({ dtype: 'UINT16' });
    }
  });
});
