/** Error codes of the remote cache. A build turns all but the first into one warning and goes on. */
import { declareErrors } from '@tundish/diagnostics';

export const remoteError = declareErrors({
  REMOTE_URL: 'The address of the remote cache is not one that Tundish can use.',
  REMOTE_UNAVAILABLE: 'The remote cache cannot be reached, is too slow, or answers what no cache answers.',
  REMOTE_REJECTED: 'The remote cache refused one upload as wrong.',
});
