/** Loads the module of a custom stage and checks the form of what it exports. */
import { dirname } from 'node:path';
import { TundishError, messageOf, printable } from '@tundish/diagnostics';
import { stageError } from '../errors.js';
import { loadUserModule } from '../user-module.js';
import type { CustomStage } from './define-stage.js';

const NAME = /^[a-z][a-z0-9-]{0,39}$/;

/**
 * @param path absolute
 * @throws STAGE_CUSTOM_LOAD, STAGE_CUSTOM_EXPORT, STAGE_CUSTOM_NAME
 */
export async function loadCustomStage(path: string): Promise<CustomStage> {
  const exported = await exportsOf(path);
  const stage: unknown = exported['stage'] ?? exported['default'];
  const lacks = missingFrom(stage);
  if (lacks !== undefined) {
    throw stageError('STAGE_CUSTOM_EXPORT', { what: `the module exports no stage: ${lacks}`, evidence: { path }, fix: 'write: export const stage = defineStage({ name, options, run })' });
  }
  const { name } = stage as CustomStage;
  if (NAME.test(name)) return stage as CustomStage;
  throw stageError('STAGE_CUSTOM_NAME', { what: `a stage cannot be named ${printable(name, 60)}`, why: 'targets, folders and cache entries carry the name', evidence: { path }, fix: 'use lower-case letters, digits and dashes, a letter first, at most 40 in all' });
}

async function exportsOf(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await loadUserModule(path, dirname(path));
  } catch (cause) {
    if (cause instanceof TundishError) throw cause;
    throw stageError('STAGE_CUSTOM_LOAD', { what: 'the module of a stage cannot be loaded', why: printable(messageOf(cause), 400), evidence: { path }, fix: 'correct it; what it imports must be installed where it lies', cause });
  }
}

function missingFrom(stage: unknown): string | undefined {
  const { name, description, options, run, requires, ensures } = (stage ?? {}) as Readonly<Record<string, unknown>>;
  // The loader gives every module a default export: its own exports.
  if (name === undefined && run === undefined) return 'neither `stage` nor a default export is one';
  if (typeof name !== 'string') return '`name` is not text';
  if (description !== undefined && typeof description !== 'string') return '`description` is not text';
  if (typeof (options as { readonly safeParse?: unknown } | undefined)?.safeParse !== 'function') return '`options` is not a zod schema';
  if (typeof run !== 'function') return '`run` is not a function';
  const wrong = Object.entries({ requires, ensures }).find(([, value]) => value !== undefined && typeof value !== 'function');
  return wrong === undefined ? undefined : `\`${wrong[0]}\` is not a function`;
}
