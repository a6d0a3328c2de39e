/** JSON files that Tundish writes or reads: manifests, sidecars, locks, encodings. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { formatBytes, formatSeconds, messageOf, printable, textTable } from '@tundish/diagnostics';
import type { Manifest } from '@tundish/container';
import { INFO_FILE, MANIFEST_FILE, type Sidecar, type StageManifest, decodeManifest, decodeSidecar } from '@tundish/store';
import { LOCK_FILE } from '@tundish/stages/workspace';
import { cliError } from '../errors.js';
import type { Description } from './description.js';
import { type MadeBy, makerOf, memoryText, sourceIn } from './made-by.js';

/** Encodings of the largest models are longer; parsing them would take seconds. */
const PARSED_BYTES = 24 * 1024 * 1024;

/** Said of a result that came from elsewhere, or whose entry was removed. */
const UNKNOWN = 'not known, no cache entry here has the result';

type Json = Readonly<Record<string, unknown>>;

/** @param cacheRoot where the entries are that say what a result took @throws STORE_MANIFEST_*, STORE_SIDECAR_INVALID, RECIPE_LOCK_*, CONTAINER_*, ENCODINGS_*, CLI_INSPECT_UNKNOWN */
export async function describeJson(path: string, bytes: number, cacheRoot: string): Promise<Description> {
  if (bytes > PARSED_BYTES) {
    throw cliError('CLI_INSPECT_LARGE', { what: `a JSON file of ${formatBytes(bytes)} is not read`, why: `it has no header that says what is in it, and inspect reads at most ${formatBytes(PARSED_BYTES)}`, evidence: { path } });
  }
  const content = readFileSync(path);
  const name = basename(path);
  const value = parsed(content, path, name);
  if (name === MANIFEST_FILE || ('outputs' in value && 'externals' in value)) {
    const manifest = decodeManifest(content, path);
    return describeManifest(path, manifest, { made: makerOf(path, manifest, cacheRoot) });
  }
  if (name === INFO_FILE || ('operation' in value && 'config' in value)) return describeSidecar(path, bytes, decodeSidecar(content.toString('utf8'), path));
  if (name === LOCK_FILE || ('source' in value && 'stages' in value)) return describeLock(path, bytes, content);
  if ('provenance' in value && 'files' in value) {
    const { readContainerManifest } = await import('@tundish/container');
    return describeContainer(path, await readContainerManifest(path), cacheRoot);
  }
  if ('activation_encodings' in value || ('encodings' in value && 'version' in value)) return (await import('./describe-encodings.js')).describeEncodings(path, bytes, content.toString('utf8'));
  throw cliError('CLI_INSPECT_UNKNOWN', { what: 'this JSON file is of no form that inspect knows', why: `its keys are: ${printable(Object.keys(value).slice(0, 8).join(', ')) || 'none'}`, evidence: { path } });
}

/** Files whose name says what they are report damage with a code of their own. */
function parsed(content: Buffer, path: string, name: string): Json {
  try {
    const value: unknown = JSON.parse(content.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
  } catch (cause) {
    if ([MANIFEST_FILE, INFO_FILE, LOCK_FILE].includes(name)) return {};
    throw cliError('CLI_INSPECT_UNKNOWN', { what: 'this file begins like JSON and is not', why: printable(messageOf(cause)), evidence: { path }, cause });
  }
}

export interface ManifestSurroundings {
  /** Where each output lies, when that is known. */
  readonly place?: (output: StageManifest['outputs'][number]) => string;
  /** The cache entry of the result; undefined when there is none. */
  readonly made: MadeBy | undefined;
}

export function describeManifest(path: string, manifest: StageManifest, { place, made }: ManifestSurroundings): Description {
  const { stage, subject, outputs, externals, facts } = manifest;
  const bytes = outputs.reduce((sum, { size }) => sum + size, 0);
  const rows = outputs.map((output) => [output.name, formatBytes(output.size), output.sha256.slice(0, 16), place?.(output) ?? '']);
  return {
    kind: 'stage manifest',
    path,
    bytes,
    facts: [
      ['stage', subject === null ? stage : `${stage} of ${subject}`],
      ['outputs', `${outputs.length} files, ${formatBytes(bytes)}`],
      ['refers to', `${externals.length} files of others, ${formatBytes(externals.reduce((sum, { size }) => sum + size, 0))}`],
      ...Object.entries(facts).map(([name, value]) => [name, JSON.stringify(value)] as const),
      ['memory', made === undefined ? UNKNOWN : memoryText(made.sidecar.memory)],
    ],
    sections: [
      { title: 'outputs', lines: textTable(['file', 'size', 'sha256', ...(place === undefined ? [] : ['where'])], rows, [false, true]) },
      ...(externals.length === 0 ? [] : [{ title: 'files of others', lines: textTable(['file', 'size', 'sha256'], externals.map(({ location, size, sha256 }) => [location, formatBytes(size), sha256.slice(0, 16)]), [false, true]) }]),
    ],
    data: { manifest, memory: made?.sidecar.memory ?? null, ...(place === undefined ? {} : { places: Object.fromEntries(outputs.map((output) => [output.name, place(output)])) }) },
  };
}

export function describeSidecar(path: string, bytes: number, sidecar: Sidecar): Description {
  const { operation, source, config, hash, created_at: made, tool, inputs, outputs, wall_seconds: wall, cpu_seconds: cpu, memory } = sidecar;
  return {
    kind: 'cache entry sidecar',
    path,
    bytes,
    facts: [
      ['operation', operation],
      ['source', source],
      ['key', hash],
      ['made', made],
      ['tool', tool === null ? 'none' : [tool.name, tool.version, tool.machine, tool.operators].filter(Boolean).join(', ')],
      ['cost', `${formatSeconds(wall)}${cpu === undefined ? '' : `, ${formatSeconds(cpu)} of CPU`}`],
      ['memory', memoryText(memory)],
      ['can be replayed', sidecar.request === undefined ? 'no, it was made by an older version' : 'yes'],
    ],
    sections: [
      { title: 'what was hashed', lines: Object.entries(config).map(([field, value]) => `${field} = ${value}`) },
      { title: 'inputs', lines: Object.entries(inputs).map(([unit, digest]) => `${unit}  ${digest.slice(0, 16)}`) },
      { title: 'outputs', lines: Object.entries(outputs).map(([name, digest]) => `${name}  ${digest.slice(0, 16)}`) },
    ],
    data: { sidecar },
  };
}

async function describeLock(path: string, bytes: number, content: Uint8Array): Promise<Description> {
  const { parseLock } = await import('@tundish/recipe/parse-lock');
  const lock = parseLock(content, path);
  const { ar, cl } = lock.stages.arcl.options;
  const { quantize, compile } = lock.stages;
  const sourceBytes = Object.values(lock.source.files).reduce((sum, { size }) => sum + size, 0);
  return {
    kind: 'recipe lock',
    path,
    bytes,
    facts: [
      ['model', lock.model],
      ['checkpoint', `${lock.source.kind} ${lock.source.location}, ${Object.keys(lock.source.files).length} files, ${formatBytes(sourceBytes)}`],
      ['graphs', `AR ${ar.join(', ')} x CL ${cl.join(', ')} x ${new Set(Object.values(lock.cells).map(({ part }) => part)).size} parts = ${Object.keys(lock.cells).length} cells`],
      ['quantize', JSON.stringify(quantize.options)],
      ['toolchain', `${compile.toolchain.name} ${compile.toolchain.version}`],
    ],
    data: { lock },
  };
}

export function describeContainer(path: string, manifest: Manifest, cacheRoot: string): Description {
  const memory = Object.entries(manifest.provenance).map(([unit, digest]) => [unit, sourceIn(cacheRoot, manifest.model, unit.split('/', 1)[0] as string, digest)?.sidecar.memory] as const);
  const { model, toolchain, architecture, ars, contextLengths, parts, files } = manifest;
  const bytes = Object.values(files).reduce((sum, { size }) => sum + size, 0);
  return {
    kind: 'container',
    path,
    bytes,
    facts: [
      ['model', `${model} (${architecture.modelType}, ${architecture.layers} layers, hidden ${architecture.hiddenSize})`],
      ['toolchain', [`${toolchain.name} ${toolchain.version}`, toolchain.machine, toolchain.operators].filter(Boolean).join(', ')],
      ['graphs', `AR ${ars.join(', ')} x CL ${contextLengths.join(', ')} x ${parts.length} parts`],
      ['made from', `${Object.keys(manifest.provenance).length} stage results`],
    ],
    sections: [
      { title: 'files', lines: textTable(['file', 'size', 'sha256'], Object.entries(files).map(([name, { size, sha256 }]) => [name, formatBytes(size), sha256.slice(0, 16)]), [false, true]) },
      { title: 'memory of the stages that it was made by', lines: memory.map(([unit, figures]) => `${unit}: ${figures === undefined ? UNKNOWN : memoryText(figures)}`) },
    ],
    data: { manifest, memory: Object.fromEntries(memory.map(([unit, figures]) => [unit, figures ?? null])) },
  };
}
