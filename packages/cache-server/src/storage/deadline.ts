/** A limit for the patience with a disk: whoever waits for an answer is told in time, whatever the disk does. */
import { cacheError } from '../errors.js';

/**
 * @param late gets what arrives after all, to give it back
 * @throws CACHE_SLOW_DISK after `milliseconds`
 */
export async function within<T>(milliseconds: number, work: Promise<T>, late: (result: T) => void = () => undefined): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      work.then(late, () => undefined);
      reject(cacheError('CACHE_SLOW_DISK', { what: `the disk of the cache server has not answered for ${milliseconds / 1000} s` }));
    }, milliseconds);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
