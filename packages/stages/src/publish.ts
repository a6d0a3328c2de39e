/** Puts the files of a stage into the store and describes them in a manifest. */
import { isAbsolute, relative } from 'node:path';
import type { Reporter } from '@tundish/diagnostics';
import { MANIFEST_SCHEMA, type StageManifest, type StageOutput, type Store, decodeManifest, encodeManifest } from '@tundish/store';
import type { StageFile, StageResult } from './stage.js';

export interface Publication {
  /** The stage, or the operation of a piece. */
  readonly name: string;
  readonly subject: string | null;
  readonly result: StageResult;
  readonly scratch: string;
  readonly reporter: Reporter;
}

/** Files below `scratch` move into the store; others are copied. */
export async function publishResult(store: Store, { name: stage, subject, result, scratch, reporter }: Publication): Promise<StageManifest> {
  const outputs: StageOutput[] = [];
  const total = result.files.length;
  for (const file of result.files) {
    reporter.progress({ work: 'store', label: 'files', done: outputs.length, total });
    outputs.push({ name: file.name, mediaType: file.mediaType, ...(await put(store, file, scratch)) });
  }
  reporter.progress({ work: 'store', label: 'files', done: total, total });
  // As it will be read back: a stage behind must not see another order after a fresh run than after a hit.
  return decodeManifest(encodeManifest({ schema: MANIFEST_SCHEMA, stage, subject, outputs, externals: result.externals ?? [], facts: result.facts ?? {} }), `${stage}/stage.json`);
}

async function put(store: Store, file: StageFile, scratch: string): Promise<{ sha256: string; size: number }> {
  if ('from' in file) return { sha256: file.from.sha256, size: file.from.size };
  if ('bytes' in file) return store.putBytes(file.bytes);
  const inside = relative(scratch, file.path);
  return store.putFile(file.path, { move: inside !== '' && !inside.startsWith('..') && !isAbsolute(inside) });
}
