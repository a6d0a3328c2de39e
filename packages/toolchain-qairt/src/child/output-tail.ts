/** The last lines that a process printed, whatever it prints. */
import { printable } from '@tundish/diagnostics';

const KEPT_LINES = 40;
const LONGEST = 300;

export class OutputTail {
  readonly #lines: string[] = [];
  #partial = '';
  #marked = 0;

  add(chunk: string): void {
    const pieces = (this.#partial + chunk).split(/[\r\n]+/);
    // A process that never ends a line must not fill the memory.
    this.#partial = (pieces.pop() ?? '').slice(-LONGEST);
    this.#lines.push(...pieces.filter((line) => line.trim() !== '').map((line) => printable(line, LONGEST)));
    const dropped = Math.max(0, this.#lines.length - KEPT_LINES);
    this.#lines.splice(0, dropped);
    this.#marked = Math.max(0, this.#marked - dropped);
  }

  /** The lines since it was called last. */
  takeNew(): string[] {
    const fresh = this.#lines.slice(this.#marked);
    this.#marked = this.#lines.length;
    return fresh;
  }

  lines(most: number): string[] {
    const rest = this.#partial.trim() === '' ? [] : [printable(this.#partial, LONGEST)];
    return [...this.#lines, ...rest].slice(-most);
  }
}
