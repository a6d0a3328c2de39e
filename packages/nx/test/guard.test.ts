/** How executors are stopped and how they fail. */
import { declareErrors } from '@tundish/diagnostics';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { guarded } from '../src/executors/guard.js';

const testError = declareErrors({ TEST_GUARD: 'Only in this test.' });
const printed = vi.spyOn(console, 'error').mockImplementation(() => undefined);
afterEach(() => printed.mockClear());

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stage unwound'))));

describe('guarded', () => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'disconnect'] as const)('stops on %s, also when it comes twice', async (event) => {
    const before = process.listenerCount(event);
    const result = guarded(untilAborted);
    process.emit(event as 'disconnect');
    process.emit(event as 'disconnect');
    expect(await result).toEqual({ success: false });
    expect(printed.mock.calls.flat().join('\n')).toContain('NX_CANCELLED');
    expect(process.listenerCount(event)).toBe(before);
  });

  it('prints the facts of a known failure and the stack of a defect', async () => {
    await guarded(() => Promise.reject(testError('TEST_GUARD', { what: 'it broke', fix: 'mend it' })));
    expect(printed).toHaveBeenLastCalledWith('TEST_GUARD: it broke\n  fix: mend it');
    await guarded(() => Promise.reject(new TypeError('x is undefined')));
    expect(printed.mock.lastCall?.[0]).toMatch(/TypeError: x is undefined\n\s+at /);
  });

  it('succeeds when the work does', async () => {
    expect(await guarded(() => Promise.resolve())).toEqual({ success: true });
    expect(printed).not.toHaveBeenCalled();
  });
});
