/** Options of the umbrella that are for all tasks of the run: Nx would hand them to the umbrella alone. */
import type { WatchWords } from '@tundish/cli/summary';

const OPTIONS = { trace: '--trace', events: '--events', maxMemory: '--max-memory' } as const;

/** @param words of the command line: `--trace=FILE` or `--trace FILE` */
export function watchWords(words: readonly string[]): WatchWords {
  return Object.fromEntries(Object.entries(OPTIONS).flatMap(([name, option]) => {
    const at = words.findIndex((word) => word === option || word.startsWith(`${option}=`));
    const word = words[at];
    if (word === undefined) return [];
    const value = word === option ? words[at + 1] : word.slice(option.length + 1);
    return value === undefined ? [] : [[name, value]];
  }));
}
