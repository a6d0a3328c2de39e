/** A process with the compiler and the emulator of one chip, for as long as something runs in it. */
import { type Child, withChild } from '../child/child.js';
import { ERRORS_ONLY } from '../child/protocol.js';
import { childOptionsOf } from './describe.js';
import { type QairtLibraries, libraryPath } from './find.js';

export interface EmulatorRequest {
  readonly libraries: QairtLibraries;
  /** SoC id. */
  readonly soc: number;
  readonly signal?: AbortSignal;
}

/** @throws QAIRT_CHIP_REFUSED and the other errors of `Child.call`, and what `work` throws */
export function withEmulator<T>({ libraries, soc, signal }: EmulatorRequest, work: (child: Child) => Promise<T>): Promise<T> {
  return withChild({ ...childOptionsOf(libraries), ...(signal === undefined ? {} : { signal }) }, async (child) => {
    await child.call('openBackend', { library: libraryPath(libraries, 'htp'), logLevel: ERRORS_ONLY, soc });
    return work(child);
  });
}
