/** A body of a remote cache on its way here. */
import { Readable } from 'node:stream';
import { remoteFailure } from './errors.js';
import type { Patience } from './patience.js';

/** The same bytes; waits for each piece no longer than `idle`, and says that it was the remote cache when the stream fails. */
export function watchedStream(stream: Readable, patience: Patience, idle: number): Readable {
  const stop = (): void => void stream.destroy(patience.signal.reason as Error);
  patience.signal.addEventListener('abort', stop, { once: true });
  return Readable.from(pieces(), { objectMode: false });

  async function* pieces(): AsyncGenerator<Buffer> {
    const source = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    try {
      for (;;) {
        patience.expect(idle, 'no byte came');
        const { done, value } = await source.next();
        patience.rest();
        if (done === true) return;
        yield value;
      }
    } catch (error) {
      throw remoteFailure(error);
    } finally {
      patience.rest();
      patience.signal.removeEventListener('abort', stop);
      stream.destroy();
    }
  }
}
