/** Adds the path of a file to errors that were thrown by code that only saw its bytes. */
import { TundishError } from '@tundish/diagnostics';

/** Runs `read`; a TundishError without a path in its evidence gets `path`. */
export function located<T>(path: string | undefined, read: () => T): T {
  if (path === undefined) return read();
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TundishError) || error.evidence.path !== undefined) throw error;
    const { code, what, why, evidence, fix } = error;
    throw new TundishError(code, { what, evidence: { ...evidence, path }, cause: error, ...(why === undefined ? {} : { why }), ...(fix === undefined ? {} : { fix }) });
  }
}
