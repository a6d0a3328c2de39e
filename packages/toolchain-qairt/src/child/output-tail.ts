/** The last lines that a process printed, whatever it prints. */
import { printable } from '@tundish/diagnostics';

const KEPT_LINES = 40;
const LONGEST = 300;

export class OutputTail {
  readonly #lines: string[] = [];
  #partial = '';

  add(chunk: string): void {
    const pieces = (this.#partial + chunk).split(/[\r\n]+/);
    // A process that never ends a line must not fill the memory.
    this.#partial = (pieces.pop() ?? '').slice(-LONGEST);
    this.#lines.push(...pieces.filter((line) => line.trim() !== '').map((line) => printable(line, LONGEST)));
    this.#lines.splice(0, this.#lines.length - KEPT_LINES);
  }

  lines(most: number): string[] {
    const rest = this.#partial.trim() === '' ? [] : [printable(this.#partial, LONGEST)];
    return [...this.#lines, ...rest].slice(-most);
  }
}
