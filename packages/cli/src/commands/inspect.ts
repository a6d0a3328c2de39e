/** inspect: says what a file, a folder or a unit of a model is and holds, from headers alone. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { printable } from '@tundish/diagnostics';
import { cacheRootOf } from '../environment.js';
import { cliError } from '../errors.js';
import { type Description, descriptionJson, descriptionText } from '../inspect/description.js';
import type { Io } from '../io.js';

export interface InspectOptions {
  /** A path, `MODEL:STAGE`, `MODEL/SUBJECT:STAGE` or the name of a model. */
  readonly subject: string;
  readonly workspaceRoot: string;
  readonly json: boolean;
  /** File for a picture of the compiled graphs. */
  readonly onnx?: string;
}

/** @throws CLI_INSPECT_*, STORE_* for the picture, and the errors of each format */
export async function inspectCommand(options: InspectOptions, io: Io): Promise<void> {
  const description = await describe(options);
  if (options.onnx !== undefined) await writeSketch(description, options.onnx);
  io.out(options.json ? descriptionJson(description) : descriptionText(description));
}

async function writeSketch({ kind, path, sketch }: Description, target: string): Promise<void> {
  if (sketch === undefined) throw cliError('CLI_INSPECT_SKETCH', { what: `a ${kind} has no picture of its graphs`, why: 'pictures are made of context binaries and deep learning containers', evidence: { path }, fix: 'leave --onnx out' });
  const { writeFileAtomic } = await import('@tundish/store');
  await writeFileAtomic(resolve(target), sketch());
}

async function describe({ subject, workspaceRoot }: InspectOptions): Promise<Description> {
  const path = resolve(subject);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() === true) return describeFile(path, found.size, cacheRootOf(workspaceRoot));
  const place = { workspaceRoot, cacheRoot: cacheRootOf(workspaceRoot) };
  if (found?.isDirectory() === true) return describeFolder(path, place);
  if (found !== undefined) throw cliError('CLI_INSPECT_UNKNOWN', { what: `${printable(subject)} is neither a file nor a folder`, evidence: { path } });
  if (/[/\\]/.test(subject) && !subject.includes(':')) throw missing(subject, path);
  const { describeModel, describeTarget } = await import('../inspect/describe-target.js');
  if (subject.includes(':')) return describeTarget(subject, place);
  const { findModels } = await import('@tundish/stages/workspace');
  const model = findModels(workspaceRoot).find(({ name }) => name === subject);
  if (model === undefined) throw missing(subject, path);
  return describeModel(model, place);
}

async function describeFolder(path: string, place: { readonly workspaceRoot: string; readonly cacheRoot: string }): Promise<Description> {
  const { findModels } = await import('@tundish/stages/workspace');
  const model = findModels(place.workspaceRoot).find(({ root }) => resolve(place.workspaceRoot, root) === path);
  if (model !== undefined) return (await import('../inspect/describe-target.js')).describeModel(model, place);
  return (await import('../inspect/describe-folder.js')).describeFolder(path, place.cacheRoot);
}

/** The first bytes decide where a format has a mark; ONNX has none, so that its name counts too. */
async function describeFile(path: string, size: number, cacheRoot: string): Promise<Description> {
  const start = firstBytes(path);
  const extension = extname(path).toLowerCase();
  const text = start.toString('latin1');
  if (extension === '.gguf' || text.startsWith('GGUF')) return (await import('../inspect/describe-weights.js')).describeGguf(path);
  if (extension === '.safetensors' || isSafetensors(start, size)) return (await import('../inspect/describe-weights.js')).describeSafetensors(path);
  if (isContextBinary(start)) return (await import('../inspect/describe-binary.js')).describeContextBinary(path);
  if (extension === '.dlc') return (await import('../inspect/describe-binary.js')).describeDlc(path);
  if (extension === '.onnx' || start[0] === 0x08) return (await import('../inspect/describe-onnx.js')).describeOnnx(path);
  if (extension === '.json' || extension === '.encodings' || /^\s*\{/.test(text)) return (await import('../inspect/describe-json.js')).describeJson(path, size, cacheRoot);
  throw cliError('CLI_INSPECT_UNKNOWN', {
    what: `${printable(path)} is a file that inspect does not know`,
    why: size === 0 ? 'it is empty' : `it begins with the bytes ${start.subarray(0, 8).toString('hex')}`,
    evidence: { path },
    fix: 'inspect reads stage.json, builder_cache_info.json, recipe.lock.json, manifest.json, encodings, ONNX, safetensors, GGUF, context binaries and DLC',
  });
}

function firstBytes(path: string): Buffer {
  const start = Buffer.alloc(64);
  const descriptor = openSync(path, 'r');
  try {
    return start.subarray(0, readSync(descriptor, start, 0, start.length, 0));
  } finally {
    closeSync(descriptor);
  }
}

/** Four big-endian words: 2, the form of the container, 0, and one that differs. */
function isContextBinary(start: Buffer): boolean {
  return start.length >= 16 && start.readUInt32BE(0) === 2 && start.readUInt32BE(4) >= 1 && start.readUInt32BE(4) <= 15 && start.readUInt32BE(8) === 0;
}

/** The length of a header that fits into the file, and the brace that begins it. */
function isSafetensors(start: Buffer, size: number): boolean {
  return start.length > 8 && start[8] === 0x7b && start.readBigUInt64LE(0) <= BigInt(size);
}

function missing(subject: string, path: string): Error {
  return cliError('CLI_INSPECT_MISSING', { what: `there is no ${printable(subject)}`, why: 'it is no path, and no model of the workspace has this name', evidence: { path }, fix: 'give a path, MODEL or MODEL:STAGE' });
}
