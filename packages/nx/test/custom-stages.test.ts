/** What Nx is told of the stages that a recipe names. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CreateNodesResult } from '@nx/devkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { createNodes, preTasksExecution } from '../src/plugin.js';
import { summaryTable } from '@tundish/cli/summary';
import { readLockFile } from '../src/lock/lock-file.js';
import { workspaceWithModel, writeFiles } from './temporary-workspace.js';

const RECIPE = 'graphs: { ar: [1], cl: [512], parts: 1 }\nstages:\n  - { use: ./stages/prune.js, after: optimize }\n  - { use: ./stages/pairs.js, after: arcl }\n  - { use: ./stages/cells.js, after: transform }\n';
const moduleOf = (name: string, about = ''): string => `import { z } from 'zod';\nexport const stage = { name: '${name}', ${about} options: z.strictObject({}), run: () => ({ files: [] }) };\n`;

let root: string;
beforeEach(() => {
  root = workspaceWithModel(RECIPE);
  writeFiles(root, { 'models/tiny/stages/prune.js': moduleOf('prune', "description: 'Prunes.',"), 'models/tiny/stages/pairs.js': moduleOf('of-pairs'), 'models/tiny/stages/cells.js': moduleOf('of-cells'), 'models/tiny/stages/package.json': '{ "type": "module" }' });
  mkdirSync(join(root, 'node_modules'));
  symlinkSync(fileURLToPath(new URL('../../../node_modules/zod', import.meta.url)), join(root, 'node_modules/zod'));
});

async function infer(): Promise<NonNullable<CreateNodesResult['projects']>> {
  const results = await createNodes[1](['models/tiny/project.json'], undefined, { workspaceRoot: root, nxJsonConfiguration: {} });
  return Object.assign({}, ...results.map(([, result]) => result.projects)) as NonNullable<CreateNodesResult['projects']>;
}

describe('a stage of the recipe', () => {
  it('is a target with what it reads, and is what the stages behind it depend on', async () => {
    const projects = await infer();
    const targets = projects['models/tiny']?.targets ?? {};
    expect(targets['prune']).toEqual({
      executor: '@tundish/nx:stage',
      cache: true,
      options: { model: 'models/tiny', stage: 'prune' },
      inputs: [
        { json: '{workspaceRoot}/models/tiny/recipe.lock.json', fields: ['custom.prune'] },
        { dependentTasksOutputFiles: '**/models/tiny/out/optimize/stage.json' },
        { env: 'TUNDISH_STATE_MODELS_TINY' },
        { env: 'TUNDISH_CODE_MODELS_TINY_PRUNE' },
        { externalDependencies: [] },
      ],
      outputs: ['{workspaceRoot}/models/tiny/out/prune/stage.json'],
      dependsOn: ['optimize'],
      metadata: { technologies: ['tundish'], description: 'Prunes. (./stages/prune.js, after optimize)' },
    });
    expect(targets['quantize']?.dependsOn).toEqual(['load', 'prune']);
    expect(targets['quantize']?.inputs).toContainEqual({ dependentTasksOutputFiles: '**/models/tiny/out/prune/stage.json' });
    expect(projects['models/tiny']?.metadata?.targetGroups?.['Stages']).toEqual(['load', 'optimize', 'prune', 'quantize', 'arcl', 'of-pairs', 'package']);
  });

  it('behind arcl makes all pairs in one task, and behind transform stands in the project of its cell', async () => {
    const projects = await infer();
    const pairs = projects['models/tiny']?.targets?.['of-pairs'];
    expect(pairs?.outputs).toEqual(['{workspaceRoot}/models/tiny/out/of-pairs']);
    expect(pairs?.inputs).toContainEqual({ dependentTasksOutputFiles: '**/models/tiny/out/arcl/*/stage.json' });
    const cell = projects['models/tiny/cells/ar1-cl512-1of1']?.targets ?? {};
    expect(cell['transform']?.dependsOn).toEqual([{ projects: ['tiny'], target: 'of-pairs' }]);
    expect(cell['transform']?.inputs).toContainEqual({ dependentTasksOutputFiles: '**/models/tiny/out/of-pairs/ar1-cl512/stage.json' });
    expect(cell['of-cells']).toMatchObject({ options: { stage: 'of-cells', subject: 'ar1-cl512-1of1' }, dependsOn: ['transform'], outputs: ['{workspaceRoot}/models/tiny/out/cells/ar1-cl512-1of1/of-cells/stage.json'] });
    expect(cell['convert']?.dependsOn).toContainEqual('of-cells');
  });

  it('has its code announced to Nx, another after an edit, and a row in the summary', async () => {
    const announced = async (): Promise<string | undefined> => {
      await preTasksExecution(undefined, { id: 'run', workspaceRoot: root, nxJsonConfiguration: {}, argv: ['node', 'nx', 'run', 'tiny:prune'] });
      return process.env['TUNDISH_CODE_MODELS_TINY_PRUNE'];
    };
    const first = await announced();
    const pinned = readLockFile(root, 'models/tiny')?.lock;
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    writeFiles(root, { 'models/tiny/stages/prune.js': moduleOf('prune', "description: 'Prunes more.',") });
    expect(await announced()).not.toBe(first);
    expect(readLockFile(root, 'models/tiny')?.lock.custom?.['prune']?.description).toBe('Prunes more.');
    if (pinned === undefined) throw new Error('there is no lock');
    expect(summaryTable('tiny', pinned, new Map(), 1).map((row) => row.split(/ {2,}/)[0])).toEqual(['stage', expect.stringMatching(/^-+$/), 'load', 'optimize', 'prune', 'quantize', 'arcl', 'of-pairs', 'transform ar1-cl512-1of1', 'of-cells ar1-cl512-1of1', 'convert ar1-cl512-1of1', 'compile part1of1', 'package', 'total']);
  });
});
