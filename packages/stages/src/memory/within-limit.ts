/** Work that must not go over --max-memory: looked at while it runs, and stopped. */
import { type TundishError, formatBytes } from '@tundish/diagnostics';
import { stageError } from '../errors.js';
import { isBuiltIn } from '../plan.js';
import { smallerBuild } from '../preflight/over-limit.js';
import { measureMemory } from './measure-memory.js';
import { residentMemory } from './resident-memory.js';

export interface LimitedWork {
  readonly stage: string;
  /** Bytes; undefined when there is no limit. */
  readonly maxMemory: number | undefined;
  /** What the stage was expected to need, bytes. */
  readonly declared: number | undefined;
  readonly signal: AbortSignal;
}

/**
 * Gives the work a signal that is aborted when this process and those that it started have more memory than the limit.
 *
 * @throws STAGE_MAX_MEMORY when it had, also for a moment between two looks where the system keeps a mark of its own
 */
export async function withinLimit<T>(limited: LimitedWork, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { maxMemory, signal } = limited;
  if (maxMemory === undefined) return work(signal);
  const over = new AbortController();
  const check = (bytes: number): void => {
    if (bytes > maxMemory) over.abort(exceeded(limited, bytes, maxMemory));
  };
  try {
    check(residentMemory());
    over.signal.throwIfAborted();
    const { result, memory } = await measureMemory(() => work(AbortSignal.any([signal, over.signal])), check);
    if (memory.of === 'unit') check(memory.bytes);
    over.signal.throwIfAborted();
    return result;
  } catch (error) {
    // Whatever the work says of being stopped, this is why.
    if (over.signal.aborted && !signal.aborted) throw over.signal.reason;
    throw error;
  }
}

function exceeded({ stage, declared }: LimitedWork, bytes: number, maxMemory: number): TundishError {
  return stageError('STAGE_MAX_MEMORY', {
    what: `${stage} went over the memory that this build may have: ${formatBytes(maxMemory)}`,
    why: declared === undefined ? 'what this stage needs cannot be known before it runs' : 'it needs more than was expected of its shapes, or earlier work of this process left memory behind',
    evidence: { detail: `${formatBytes(bytes)} resident in the process and what it started, ${declared === undefined ? 'nothing' : formatBytes(declared)} declared` },
    fix: `raise --max-memory, or ${isBuiltIn(stage) ? smallerBuild(stage) : 'let the stage hold less at once'}; what was finished stays cached`,
  });
}
