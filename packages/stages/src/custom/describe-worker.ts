/** The program of the thread in which `describeStages` loads modules: each thread reads them anew. */
import { parentPort, workerData } from 'node:worker_threads';
import { TundishError, messageOf, printable } from '@tundish/diagnostics';
import { z } from 'zod';
import { stageError } from '../errors.js';
import type { StageDescription, StageQuestion } from './describe-stages.js';
import { loadCustomStage } from './load-stage.js';

/** What the thread says of one module: the description, or the facts of an error. */
export type DescribeReply = { readonly description: StageDescription } | { readonly error: ReturnType<TundishError['toJSON']> };

async function describe({ path, options }: StageQuestion): Promise<StageDescription> {
  const stage = await loadCustomStage(path);
  const about = { name: stage.name, ...(stage.description === undefined ? {} : { description: stage.description }) };
  const parsed = await stage.options.safeParseAsync(options);
  if (!parsed.success) return { ...about, faults: parsed.error.issues.map(({ path: key, message }) => ({ key: key.map((part) => (typeof part === 'symbol' ? String(part) : part)), message: printable(message) })) };
  const data = z.record(z.string(), z.json()).safeParse(parsed.data);
  if (data.success) return { ...about, options: data.data };
  throw stageError('STAGE_CUSTOM_EXPORT', { what: `the schema of ${stage.name} gives options that are not JSON data`, why: 'the lock file holds them', evidence: { path }, fix: 'let the schema of `options` be an object of text, numbers, lists and mappings, and change their form in `run`' });
}

async function answer(question: StageQuestion): Promise<DescribeReply> {
  try {
    return { description: await describe(question) };
  } catch (error) {
    const known = error instanceof TundishError ? error : stageError('STAGE_CUSTOM_LOAD', { what: 'the schema of a stage failed', why: printable(messageOf(error), 400), evidence: { path: question.path } });
    return { error: known.toJSON() };
  }
}

for (const question of workerData as readonly StageQuestion[]) parentPort?.postMessage(await answer(question));
