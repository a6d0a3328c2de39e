/** Puts the files of a stage into the store and describes them in a manifest. */
import { isAbsolute, relative } from 'node:path';
import { MANIFEST_SCHEMA, type StageManifest, type StageOutput, type Store } from '@tundish/store';
import type { StageFile, StageName, StageResult } from './stage.js';

/** Files below `scratch` move into the store; others are copied. */
export async function publishResult(store: Store, stage: StageName, subject: string | null, result: StageResult, scratch: string): Promise<StageManifest> {
  const outputs: StageOutput[] = [];
  for (const file of result.files) outputs.push({ name: file.name, mediaType: file.mediaType, ...(await put(store, file, scratch)) });
  return { schema: MANIFEST_SCHEMA, stage, subject, outputs, externals: result.externals ?? [], facts: result.facts ?? {} };
}

async function put(store: Store, file: StageFile, scratch: string): Promise<{ sha256: string; size: number }> {
  if ('from' in file) return { sha256: file.from.sha256, size: file.from.size };
  if ('bytes' in file) return store.putBytes(file.bytes);
  const inside = relative(scratch, file.path);
  return store.putFile(file.path, { move: inside !== '' && !inside.startsWith('..') && !isAbsolute(inside) });
}
