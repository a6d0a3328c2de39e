/** What happens before a pipeline works for the first time. A build that is all hits pays nothing. */
import { type Reporter, TundishError } from '@tundish/diagnostics';
import type { StageName } from '@tundish/recipe/lock';
import { placeOf } from '../plan.js';
import type { Estimates } from './estimates.js';
import { overLimit } from './over-limit.js';
import type { PreflightRequest } from './preflight.js';

export interface FirstWorkRequest extends Omit<PreflightRequest, 'from'> {
  readonly reporter: Reporter;
  readonly preflight?: () => boolean;
}

export class FirstWork {
  #estimates: Promise<Estimates | undefined> | undefined;

  constructor(private readonly request: FirstWorkRequest) {}

  /**
   * Before a stage runs. Warnings are reported.
   *
   * @returns the memory that the stage is expected to need, bytes; undefined when that is not known
   * @throws the first error that preflight finds; PREFLIGHT_MAX_MEMORY
   */
  async before(stage: string): Promise<number | undefined> {
    // A stage of the recipe's own stands behind one of ours; nobody knows what it needs.
    const place = placeOf(this.request.lock, stage) ?? 'load';
    this.#estimates ??= this.#look(place);
    const estimates = await this.#estimates;
    const expected = stage === place ? estimates?.stages[place].memory : undefined;
    const { maxMemory } = this.request;
    // Also where another process looked for all: it may have failed while this one was already on its way.
    if (expected !== undefined && maxMemory !== undefined && expected > maxMemory) throw overLimit(place, expected, maxMemory);
    return expected;
  }

  async #look(from: StageName): Promise<Estimates | undefined> {
    const { preflight, estimatesOf } = await import('./preflight.js');
    try {
      if (this.request.preflight?.() === false) return await estimatesOf(this.request);
      const { findings, estimates } = await preflight({ ...this.request, from });
      for (const { severity, problem } of findings) {
        if (severity === 'error') throw problem;
        this.request.reporter.warn(problem.message);
      }
      return estimates;
    } catch (error) {
      // A checkpoint with a fault is for `load` to refuse, which knows first whether it is the one that the lock pins.
      if (error instanceof TundishError && /^(CONFIG|SAFETENSORS|CHECKPOINT)_/.test(error.code)) return undefined;
      throw error;
    }
  }
}
