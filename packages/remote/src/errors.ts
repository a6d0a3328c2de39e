/** Error codes of the remote cache. A build turns all but the first into one warning and goes on. */
import { TundishError, declareErrors, messageOf } from '@tundish/diagnostics';

export const remoteError = declareErrors({
  REMOTE_URL: 'The address of the remote cache is not one that Tundish can use.',
  REMOTE_UNAVAILABLE: 'The remote cache cannot be reached, is too slow, or answers what no cache answers.',
  REMOTE_REJECTED: 'The remote cache refused one upload as wrong.',
});

/** What went wrong on the way to the remote cache, as an error that names it. */
export function remoteFailure(error: unknown): TundishError {
  if (error instanceof TundishError) return error;
  return remoteError('REMOTE_UNAVAILABLE', { what: `the connection failed: ${messageOf(error)}`, cause: error });
}
