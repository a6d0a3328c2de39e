/** Reads a bundle for Genie, and refuses before what would end Genie's process instead of being refused. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { printable } from '@tundish/diagnostics';
import { requireUnshared } from '../child/failure.js';
import { GENIE_CONFIG_FILE } from '../genie/bundle.js';
import { bundleError } from '../genie/errors.js';
import { parseJson } from '../genie/parse-json.js';
import { type ConfigValues, readConfigValues } from '../genie/read-config.js';
import { inspectContextBinary } from '../inspection/context-binary.js';
import type { QairtLibraries } from '../libraries/find.js';

export interface RunnableBundle {
  /** Text of genie_config.json, as it lies there. */
  readonly config: string;
  readonly values: ConfigValues;
}

/**
 * Everything else is left to Genie, so that it is Genie who says it.
 *
 * @param folder absolute
 * @throws GENIE_BUNDLE_NOT_FOUND, GENIE_TOKENIZER_MISSING, GENIE_TOKENIZER_DAMAGED, QAIRT_BINARY_SHARED, QAIRT_BINARY_DAMAGED
 */
export async function runnableBundle(libraries: QairtLibraries, folder: string, signal: AbortSignal | undefined): Promise<RunnableBundle> {
  const config = await textOf(join(folder, GENIE_CONFIG_FILE));
  if (config === undefined) throw bundleError('GENIE_BUNDLE_NOT_FOUND', { what: `${printable(folder)} is not a bundle`, why: `it has no readable ${GENIE_CONFIG_FILE}`, evidence: { path: folder } });
  const values = readConfigValues(parseJson(config));
  await checkTokenizer(folder, values);
  for (const file of values.contextBinaries) await checkBinary(libraries, resolve(folder, file), signal);
  return { config, values };
}

async function checkTokenizer(folder: string, { tokenizer }: ConfigValues): Promise<void> {
  if (tokenizer === undefined) return;
  const path = resolve(folder, tokenizer);
  const text = await textOf(path);
  if (text === undefined) throw bundleError('GENIE_TOKENIZER_MISSING', { what: `the bundle has no ${printable(tokenizer)}`, why: 'Genie ends the process when its tokenizer is missing', evidence: { path }, fix: 'put the tokenizer.json of the checkpoint there' });
  if (parseJson(text) === undefined) throw bundleError('GENIE_TOKENIZER_DAMAGED', { what: `${printable(tokenizer)} is not JSON`, why: 'Genie makes a dialog with it and ends the process at the first text', evidence: { path }, fix: 'put the tokenizer.json of the checkpoint there' });
}

async function checkBinary(libraries: QairtLibraries, path: string, signal: AbortSignal | undefined): Promise<void> {
  // That a file is missing Genie says itself.
  const inspected = await inspectContextBinary(path, libraries, signal).catch((error: unknown) => {
    if ((error as { code?: unknown }).code === 'QAIRT_FILE') return undefined;
    throw error;
  });
  requireUnshared(inspected?.graphs ?? [], path);
}

async function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
