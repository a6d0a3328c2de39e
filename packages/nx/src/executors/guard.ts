/** What every executor does around its work: one way to be stopped, one way to fail. */
import { TundishError } from '@tundish/diagnostics';
import { nxError } from '../errors.js';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/**
 * Runs the work of an executor. Nx stops a task with SIGTERM, sometimes twice; when Nx itself is killed, only the IPC channel
 * ends, and a task that went on would hold the store and the memory for nobody.
 *
 * @returns whether it succeeded; on failure the reason has been printed, since Nx prints none
 */
export async function guarded(work: (signal: AbortSignal) => Promise<void>): Promise<{ success: boolean }> {
  const controller = new AbortController();
  const stop = (cause: string): void => controller.abort(nxError('NX_CANCELLED', { what: `stopped by ${cause}`, why: 'what was finished stays cached' }));
  const onSignal = SIGNALS.map((name) => [name, () => stop(name)] as const);
  const onDisconnect = (): void => stop('the end of Nx');
  for (const [name, listener] of onSignal) process.on(name, listener);
  process.on('disconnect', onDisconnect);
  try {
    await work(controller.signal);
    return { success: true };
  } catch (error) {
    console.error(describeFailure(controller.signal.aborted ? controller.signal.reason : error));
    return { success: false };
  } finally {
    for (const [name, listener] of onSignal) process.off(name, listener);
    process.off('disconnect', onDisconnect);
  }
}

/** A TundishError says all that helps; of anything else the stack is the only evidence. */
function describeFailure(error: unknown): string {
  if (error instanceof TundishError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
