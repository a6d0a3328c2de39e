/** Reads of byte ranges whose file may have become shorter. */
import { readSync } from 'node:fs';
import { quantizeError } from './errors.js';

/** What an error says of a file that ends too early. */
export interface CutFile {
  readonly path: string;
  readonly what: string;
  readonly fix?: string;
}

/** Fills `data` from the bytes at `position` of an open file. @throws QUANTIZE_WEIGHTS_CUT when it ends before */
export function readWhole(file: number, data: Uint8Array | Uint16Array | Float32Array, position: number, { path, ...cut }: CutFile): void {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(file, bytes, done, bytes.length - done, position + done);
    if (read === 0) throw quantizeError('QUANTIZE_WEIGHTS_CUT', { ...cut, evidence: { path, offset: position + done } });
    done += read;
  }
}
