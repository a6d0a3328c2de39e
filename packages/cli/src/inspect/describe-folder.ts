/** Folders: a cache entry, a container, a model project. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { printable, textTable } from '@tundish/diagnostics';
import { INFO_FILE, MANIFEST_FILE, decodeManifest, readSidecar } from '@tundish/store';
import { cliError } from '../errors.js';
import type { Description } from './description.js';
import { describeContainer, describeManifest, describeSidecar } from './describe-json.js';
import { makerOf } from './made-by.js';

/** @throws CLI_INSPECT_UNKNOWN for a folder of another kind; STORE_*, CONTAINER_* for a damaged one */
export async function describeFolder(path: string, cacheRoot: string): Promise<Description> {
  if (existsSync(join(path, INFO_FILE))) return describeEntry(path);
  if (existsSync(join(path, 'manifest.json'))) {
    const { readContainer } = await import('@tundish/container');
    return describeContainer(path, (await readContainer(path)).manifest, cacheRoot);
  }
  if (existsSync(join(path, MANIFEST_FILE))) {
    const file = join(path, MANIFEST_FILE);
    const manifest = decodeManifest(readFileSync(file), file);
    return describeManifest(file, manifest, { made: makerOf(file, manifest, cacheRoot) });
  }
  throw cliError('CLI_INSPECT_UNKNOWN', { what: `${printable(path)} is a folder that inspect does not know`, why: `it is no cache entry (${INFO_FILE}), no container (manifest.json) and no model project (recipe.yaml)`, evidence: { path }, fix: 'name a file in it' });
}

/** Both files of an entry, and whether its outputs are whole. */
function describeEntry(path: string): Description {
  const sidecar = readSidecar(path);
  const file = join(path, MANIFEST_FILE);
  const manifest = decodeManifest(existsSync(file) ? readFileSync(file) : new Uint8Array(), file);
  const state = (name: string, size: number): string => {
    const found = statSync(join(path, name), { throwIfNoEntry: false })?.size;
    return found === size ? 'whole' : found === undefined ? 'missing' : `damaged: ${found} B`;
  };
  const states = new Map(manifest.outputs.map(({ name, size }) => [name, state(name, size)]));
  const outputs = describeManifest(path, manifest, { place: ({ name }) => states.get(name) ?? '', made: { entry: path, sidecar } });
  const made = describeSidecar(path, 0, sidecar);
  const broken = [...states].filter(([, text]) => text !== 'whole');
  return {
    ...outputs,
    kind: 'cache entry',
    facts: [...made.facts, ...outputs.facts.filter(([label]) => label !== 'memory'), ['state', broken.length === 0 ? 'whole' : `not whole: ${broken.map(([name, text]) => `${name} is ${text}`).join(', ')}`]],
    sections: [...(outputs.sections ?? []), ...(made.sections ?? []).slice(0, 2)],
    data: { whole: broken.length === 0, sidecar, manifest },
  };
}

/** One unit of a model in a listing. */
export interface UnitState {
  readonly unit: string;
  /** stage.json of the unit; null when there is none. */
  readonly manifest: string | null;
  readonly files: number;
  readonly bytes: number;
}

/** How far a model is built, unit by unit. */
export function describeUnits(path: string, units: readonly UnitState[], sizeText: (bytes: number) => string): Description {
  const built = units.filter(({ manifest }) => manifest !== null);
  return {
    kind: 'model project',
    path,
    bytes: built.reduce((sum, { bytes }) => sum + bytes, 0),
    facts: [['built', `${built.length} of ${units.length} units`]],
    sections: [{ title: 'units', lines: textTable(['unit', 'state', 'files', 'size'], units.map(({ unit, manifest, files, bytes }) => (manifest === null ? [unit, 'not built'] : [unit, 'built', String(files), sizeText(bytes)])), [false, false, true, true]) }],
    data: { units },
  };
}
