/** What the plugin infers from a recipe. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CreateNodesResult, ProjectConfiguration } from '@nx/devkit';
import { encodeLock } from '@tundish/recipe/lock';
import { resolveLock } from '@tundish/stages/lock';
import { describe, expect, it } from 'vitest';
import { createNodes, createNodesV2, preTasksExecution } from '../src/plugin.js';
import { emptyFolder, workspaceWithModel, writeFiles } from './temporary-workspace.js';

type Projects = NonNullable<CreateNodesResult['projects']>;

async function infer(workspaceRoot: string, files: readonly string[] = ['models/tiny/project.json'], modelsGlob?: string): Promise<Projects> {
  const results = await createNodes[1](files, modelsGlob === undefined ? undefined : { modelsGlob }, { workspaceRoot, nxJsonConfiguration: {} });
  return Object.assign({}, ...results.map(([, result]) => result.projects)) as Projects;
}

/** What Nx puts into the hash of every task of a project. */
function hashedConfiguration({ root, tags, targets }: Partial<ProjectConfiguration>): unknown {
  const hashed = Object.entries(targets ?? {}).map(([name, { executor, options, outputs, configurations, parallelism }]) => ({ name, executor, options, outputs, configurations, parallelism }));
  return { root, tags, hashed };
}

const PLAN = 'graphs: { ar: [1, 128], cl: [512, 1024], parts: 2 }\n';

describe('createNodes', () => {
  it('infers the model, its cells and its parts in a fixed order', async () => {
    const projects = await infer(workspaceWithModel(PLAN));
    expect(Object.values(projects).map(({ name, targets }) => `${name}: ${Object.keys(targets ?? {}).join(' ')}`)).toMatchInlineSnapshot(`
      [
        "tiny: compile load optimize quantize arcl package generate chat evaluate compare",
        "tiny/recipe: ",
        "tiny/ar1-cl1024-1of2: transform convert",
        "tiny/ar1-cl1024-2of2: transform convert",
        "tiny/ar1-cl512-1of2: transform convert",
        "tiny/ar1-cl512-2of2: transform convert",
        "tiny/ar128-cl1024-1of2: transform convert",
        "tiny/ar128-cl1024-2of2: transform convert",
        "tiny/ar128-cl512-1of2: transform convert",
        "tiny/ar128-cl512-2of2: transform convert",
        "tiny/part1of2: compile",
        "tiny/part2of2: compile",
      ]
    `);
    expect(createNodesV2).toBe(createNodes);
  });

  it('gives a model for a device targets that export what its graphs and parts have become', async () => {
    const root = workspaceWithModel('graphs: { ar: [1], cl: [512], parts: 2 }\ntoolchain: qairt\nchipset: sm8750\n');
    // A lock as one checks it out: machines without the vendor's libraries cannot make their own, and show the same targets.
    const lock = await resolveLock({ workspaceRoot: root, modelRoot: 'models/tiny', cacheRoot: join(root, 'cache'), hubCache: join(root, 'hub'), hub: { offline: true }, toolchainVersion: () => Promise.resolve('2.51.0') });
    writeFiles(root, { 'models/tiny/recipe.lock.json': new TextDecoder().decode(encodeLock(lock)) });
    const { targets = {} } = (await infer(root))['models/tiny'] ?? {};
    expect(targets['export-dlc']).toMatchObject({ executor: '@tundish/nx:export-dlc', cache: false, dependsOn: [{ projects: ['tiny/ar1-cl512-1of2', 'tiny/ar1-cl512-2of2'], target: 'convert' }] });
    expect(targets['export-epcontext']).toMatchObject({ executor: '@tundish/nx:export-epcontext', cache: false, dependsOn: [{ projects: ['tiny/part1of2-sm8750', 'tiny/part2of2-sm8750'], target: 'compile' }] });
  });

  it('gives a transform the manifest of its own pair and nothing of another', async () => {
    const projects = await infer(workspaceWithModel(PLAN));
    expect(projects['models/tiny/cells/ar1-cl512-1of2']?.targets?.['transform']).toMatchInlineSnapshot(`
      {
        "cache": true,
        "dependsOn": [
          {
            "projects": [
              "tiny",
            ],
            "target": "arcl",
          },
        ],
        "executor": "@tundish/nx:stage",
        "inputs": [
          {
            "fields": [
              "cells.ar1-cl512-1of2",
            ],
            "json": "{workspaceRoot}/models/tiny/recipe.lock.json",
          },
          {
            "fields": [
              "stages.transform",
            ],
            "json": "{workspaceRoot}/models/tiny/recipe.lock.json",
          },
          {
            "dependentTasksOutputFiles": "**/models/tiny/out/arcl/ar1-cl512/stage.json",
          },
          {
            "env": "TUNDISH_STATE_MODELS_TINY",
          },
          {
            "env": "TUNDISH_CODE_MODELS_TINY_TRANSFORM",
          },
          {
            "externalDependencies": [],
          },
        ],
        "metadata": {
          "description": "AR 1, CL 512, part 1 of 2: Cuts one part out of the graph of a pair and gives every attention head operations of its own; writes no weight bytes.",
          "technologies": [
            "tundish",
          ],
        },
        "options": {
          "model": "models/tiny",
          "stage": "transform",
          "subject": "ar1-cl512-1of2",
        },
        "outputs": [
          "{workspaceRoot}/models/tiny/out/cells/ar1-cl512-1of2/transform/stage.json",
        ],
      }
    `);
  });

  it('makes every manifest that is an input the output of a direct dependency', async () => {
    const projects = await infer(workspaceWithModel(PLAN));
    const byName = new Map(Object.values(projects).map((project) => [project.name as string, project]));
    let checked = 0;
    for (const project of byName.values()) {
      for (const target of Object.values(project.targets ?? {})) {
        const outputs = (target.dependsOn ?? []).flatMap((dependency) => {
          if (typeof dependency === 'string') return project.targets?.[dependency]?.outputs ?? [];
          return ((dependency.projects ?? []) as string[]).flatMap((name) => byName.get(name)?.targets?.[dependency.target]?.outputs ?? []);
        });
        const manifests = (target.inputs ?? []).flatMap((input) => (typeof input === 'object' && 'dependentTasksOutputFiles' in input ? [input.dependentTasksOutputFiles] : []));
        for (const manifest of manifests) {
          const path = manifest.replace(/^\*\*\//, '{workspaceRoot}/');
          expect(outputs.some((output) => path === output || path.startsWith(`${output}/`)), `${project.name} reads ${path}`).toBe(true);
          checked += 1;
        }
      }
    }
    expect(checked).toBeGreaterThan(20);
  });

  it('keeps the hashed configuration of a model equal whatever its recipe says', async () => {
    const one = await infer(workspaceWithModel(PLAN));
    const other = await infer(workspaceWithModel('graphs: { ar: [1, 64], cl: [256], parts: 4 }\nquantize: none\n'));
    expect(hashedConfiguration(other['models/tiny'] ?? {})).toEqual(hashedConfiguration(one['models/tiny'] ?? {}));
  });

  it('describes every project and target', async () => {
    for (const project of Object.values(await infer(workspaceWithModel(PLAN)))) {
      expect(project.metadata?.description, project.name).toBeTruthy();
      const grouped = Object.values(project.metadata?.targetGroups ?? {}).flat().sort();
      expect(grouped).toEqual(Object.keys(project.targets ?? {}).sort());
      for (const [name, target] of Object.entries(project.targets ?? {})) expect(target.metadata?.description, name).toBeTruthy();
    }
  });

  it('writes nothing', async () => {
    const root = workspaceWithModel(PLAN);
    await infer(root);
    expect(existsSync(join(root, 'models/tiny/recipe.lock.json'))).toBe(false);
  });

  it('leaves other projects alone and follows modelsGlob', async () => {
    const root = workspaceWithModel(PLAN);
    writeFiles(root, { 'apps/web/project.json': '{}', 'models/plain/project.json': '{}' });
    expect(await infer(root, ['apps/web/project.json', 'models/plain/project.json'])).toEqual({});
    expect(await infer(root, ['models/tiny/project.json'], 'llm/*/project.json')).toEqual({});
    await expect(infer(root, ['models/tiny/project.json'], '**/project.json')).rejects.toThrow(/NX_OPTION: modelsGlob \*\*\/project\.json is not supported/);
  });

  it('keeps the last cells of a recipe that does not parse, and none of one that never did', async () => {
    const root = workspaceWithModel(PLAN);
    await preTasksExecution(undefined, { id: '1', workspaceRoot: root, nxJsonConfiguration: {}, argv: [] });
    const good = Object.keys(await infer(root));
    writeFiles(root, { 'models/tiny/recipe.yaml': 'checkpoint: ./checkpoint\nquantise: none\n' });
    expect(Object.keys(await infer(root))).toEqual(good);

    const never = emptyFolder();
    writeFiles(never, { 'models/tiny/project.json': '{}', 'models/tiny/recipe.yaml': 'nothing: true\n' });
    expect(Object.keys(await infer(never))).toEqual(['models/tiny', 'models/tiny/recipe.yaml']);
  });

  it('makes the lock and the files that it pins inputs of compile; every file where the lock is behind, the recipe where nobody can tell', async () => {
    const root = workspaceWithModel(`${PLAN}quantize: { recipe: minmax, calibration: { text: ../../texts/some.txt } }\n`);
    writeFiles(root, { 'texts/some.txt': 'some text' });
    const inputs = async (): Promise<unknown[]> => (await infer(root))['models/tiny']?.targets?.['compile']?.inputs ?? [];
    const pinned = ['recipe.lock.json', 'checkpoint/config.json', 'checkpoint/model.safetensors', 'checkpoint/tokenizer.json'].map((name) => `{workspaceRoot}/models/tiny/${name}`);
    const [recipe, everything] = ['{workspaceRoot}/models/tiny/recipe.yaml', '{workspaceRoot}/**/*'];
    expect(await inputs()).toEqual(expect.arrayContaining([...pinned, everything, '{workspaceRoot}/texts/some.txt']));
    await preTasksExecution(undefined, { id: '1', workspaceRoot: root, nxJsonConfiguration: {}, argv: [] });
    expect(await inputs()).toEqual(expect.arrayContaining([...pinned, '{workspaceRoot}/texts/some.txt']));
    process.env['CI'] = 'true';
    expect(await inputs()).not.toContain(everything);
    writeFiles(root, { 'texts/some.txt': 'other text' });
    expect(await inputs()).toContain(everything);
    expect(await inputs()).not.toContain(recipe);
    rmSync(join(root, 'models/tiny/checkpoint'));
    expect(await inputs()).toContain(everything);
    process.env['CI'] = 'false';
    expect(await inputs()).toEqual(expect.arrayContaining([...pinned, recipe, '{workspaceRoot}/texts/some.txt']));
    expect(await inputs()).not.toContain(everything);
    const { targets = {} } = (await infer(root))['models/tiny'] ?? {};
    expect(Object.keys(targets).filter((name) => JSON.stringify(targets[name]?.inputs).includes('texts/some.txt'))).toEqual(['compile']);
  });

  it('takes the committed lock in CI', async () => {
    const root = workspaceWithModel(PLAN);
    await preTasksExecution(undefined, { id: '1', workspaceRoot: root, nxJsonConfiguration: {}, argv: [] });
    writeFiles(root, { 'models/tiny/recipe.yaml': 'checkpoint: ./checkpoint\ngraphs: { cl: [256] }\n' });
    expect(Object.keys(await infer(root))).toContain('models/tiny/cells/ar1-cl256-1of1');
    process.env['CI'] = 'true';
    expect(Object.keys(await infer(root))).toContain('models/tiny/cells/ar1-cl512-1of2');
  });
});
