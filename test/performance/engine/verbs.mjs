/** Verbs about what was built, as whole processes, on a store of 10,000 entries beside those of a built model: time above the start of node. */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, run, succeed } from '../processes.mjs';
import { fillStore } from './large-store.mjs';

const ENTRIES = 10_000;
const REPEATS = 7;
const BAR = ['<=', 300];
const COMMAND = join(ROOT, 'packages/cli/bin/tundish.js');

export async function verbs(record) {
  const root = mkdtempSync(join(tmpdir(), 'tundish-verbs-'));
  try {
    const cache = await builtWorkspace(root);
    fillStore(cache, 'llama32', ENTRIES);
    record('entries of the store', readdirSync(join(cache, 'llama32')).length, 'entries', ['>=', ENTRIES]);
    const time = async (args) => {
      const seconds = [];
      for (let i = 0; i < REPEATS; i++) seconds.push((await run(process.execPath, args, { cwd: root })).seconds);
      // The fastest: what else the machine does is no property of a verb.
      return Math.min(...seconds);
    };
    const floor = await time(['-e', '0']);
    record('floor: node that does nothing', floor * 1000, 'ms');
    const entry = join(cache, 'llama32', readdirSync(join(cache, 'llama32')).find((name) => name.startsWith('quantize_')));
    const subjects = {
      'inspect of a unit': ['inspect', 'llama32:quantize'],
      'inspect of a cache entry': ['inspect', entry],
      'inspect of a model': ['inspect', 'llama32'],
      'inspect of a safetensors file': ['inspect', 'models/llama32/checkpoint/model.safetensors'],
      'doctor': ['doctor'],
      'plan': ['plan', 'llama32'],
      'why': ['why', 'llama32:quantize'],
      'gc that removes nothing': ['gc', '--dry-run'],
    };
    for (const [what, words] of Object.entries(subjects)) {
      await succeed(process.execPath, [COMMAND, ...words], { cwd: root });
      record(what, (await time([COMMAND, ...words]) - floor) * 1000, 'ms', BAR);
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** A workspace with the model of this repository, built. @returns its cache root */
async function builtWorkspace(root) {
  cpSync(join(ROOT, 'models/llama32'), join(root, 'models/llama32'), { recursive: true, filter: (path) => !/\/(out|artifacts)$/.test(path) });
  if (!existsSync(join(root, 'node_modules'))) symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  await succeed(process.execPath, ['--input-type=module', '-e', BUILD, root], { cwd: ROOT });
  return join(root, '.tundish', 'cache');
}

const BUILD = `
import { join } from 'node:path';
import { adapters } from '@tundish/cli';
import { buildModel } from '@tundish/stages';
import { lockModel } from '@tundish/stages/lock';
import { silentReporter } from '@tundish/diagnostics';
const workspaceRoot = process.argv[1];
const places = { workspaceRoot, modelRoot: 'models/llama32', cacheRoot: join(workspaceRoot, '.tundish', 'cache'), hubCache: join(workspaceRoot, 'hub'), hub: { offline: true } };
await buildModel({ ...places, adapters, reporter: silentReporter, signal: new AbortController().signal, threads: 2, inputsInPlace: false });
// As every command of a build does; after it, since digests of files that were written just now are not remembered.
await lockModel({ ...places, toolchainVersion: async (name) => (await adapters.toolchain(name).identity()).version });
`;
