/** Asks the modules of custom stages for their names and what their schemas make of the options of a recipe. */
import { Worker } from 'node:worker_threads';
import { type ErrorFacts, TundishError } from '@tundish/diagnostics';
import type { CustomStageLock } from '@tundish/recipe/lock';
import { stageError } from '../errors.js';
import type { DescribeReply } from './describe-worker.js';

export interface StageQuestion {
  /** Absolute path of the module. */
  readonly path: string;
  /** As the recipe has them. */
  readonly options: CustomStageLock['options'];
}

interface About {
  readonly name: string;
  readonly description?: string;
}

/** With the options that the schema gave, or with what it finds wrong about those of the recipe. */
export type StageDescription = About & ({ readonly options: CustomStageLock['options']; readonly faults?: never } | { readonly faults: readonly OptionFault[]; readonly options?: never });

export interface OptionFault {
  /** Inside `options`. */
  readonly key: readonly (string | number)[];
  readonly message: string;
}

// From src under a test runner and from dist alike, this is the compiled worker.
const ENTRY = new URL('../../dist/custom/describe-worker.js', import.meta.url);
/** Modules that need longer than this to load do work that belongs into `run`. */
const LIMIT_MS = 60_000;

/**
 * Loads the modules in a thread of their own: the Nx daemon and editors live long, and would keep the first version of a module.
 *
 * @returns for each question its answer, or the error that its module is: STAGE_CUSTOM_LOAD, STAGE_CUSTOM_EXPORT, STAGE_CUSTOM_NAME
 */
export async function describeStages(questions: readonly StageQuestion[]): Promise<(StageDescription | TundishError)[]> {
  if (questions.length === 0) return [];
  const answers: (StageDescription | TundishError)[] = [];
  const worker = new Worker(ENTRY, { workerData: questions, execArgv: [] });
  const why = await new Promise<string | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(`it took longer than ${LIMIT_MS / 1000} s`), LIMIT_MS);
    worker.on('message', (reply: DescribeReply) => {
      if (answers.push(answerOf(reply)) === questions.length) resolve(undefined);
    });
    worker.once('error', (error) => resolve(error.message));
    worker.once('exit', () => resolve('it ended the process'));
    worker.once('exit', () => clearTimeout(timer));
  });
  await worker.terminate();
  // The one that is being loaded when the thread ends is the one to blame; those behind it were not asked.
  const unanswered = questions.slice(answers.length).map(({ path }) => stageError('STAGE_CUSTOM_LOAD', { what: 'the module of a stage cannot be loaded', why: why ?? 'it ended the process', evidence: { path } }));
  return [...answers, ...unanswered];
}

function answerOf(reply: DescribeReply): StageDescription | TundishError {
  if ('description' in reply) return reply.description;
  const { code, ...facts } = reply.error;
  return new TundishError(code as string, facts as unknown as ErrorFacts);
}
