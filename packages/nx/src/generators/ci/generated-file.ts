/** A file that a generator may write again as long as nobody has edited it: its header holds the digest of the rest. */
import { sha256 } from '@tundish/store';

const HEADER = /^# Written by @tundish\/nx:ci; sha256 of what follows: ([0-9a-f]{64})$/m;

/** @param first lines that must stand at the top, each with its newline */
export function withHeader(body: string, first = ''): string {
  return `${first}# Written by @tundish/nx:ci; sha256 of what follows: ${sha256(Buffer.from(body))}\n${body}`;
}

/** False for a file that somebody has changed since, or that no generator wrote. A checkout may have ended its lines with CR LF. */
export function isUntouched(text: string): boolean {
  const lines = text.replaceAll('\r\n', '\n');
  const header = HEADER.exec(lines);
  return header !== null && sha256(Buffer.from(lines.slice(header.index + header[0].length + 1))) === header[1];
}
