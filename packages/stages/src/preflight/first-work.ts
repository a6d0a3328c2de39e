/** What happens before a pipeline works for the first time, and what is watched while it does. A build that is all hits pays nothing. */
import { type Reporter, TundishError, formatBytes } from '@tundish/diagnostics';
import type { StageName } from '@tundish/recipe/lock';
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
  async before(stage: StageName): Promise<number | undefined> {
    this.#estimates ??= this.#look(stage);
    const expected = (await this.#estimates)?.stages[stage].memory;
    const { maxMemory } = this.request;
    // Also where another process looked for all: it may have failed while this one was already on its way.
    if (expected !== undefined && maxMemory !== undefined && expected > maxMemory) throw overLimit(stage, expected, maxMemory);
    return expected;
  }

  /** After a stage has run: estimates may be wrong, and a limit that did not hold is not kept quiet. */
  after(stage: StageName, peakRss: number): void {
    const { maxMemory, reporter } = this.request;
    if (maxMemory === undefined || peakRss <= maxMemory) return;
    reporter.warn(`the process had ${formatBytes(peakRss)} of memory at the end of ${stage}, more than the limit of ${formatBytes(maxMemory)}`);
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
