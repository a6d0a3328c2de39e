/** What `inspect` says of one thing, as text and as JSON. */
import { formatBytes, labelledLines, printable } from '@tundish/diagnostics';

export interface Description {
  /** For example `stage manifest`. */
  readonly kind: string;
  /** Absolute path. */
  readonly path: string;
  /** Bytes of the file; of all files that it names, for a folder or a manifest. */
  readonly bytes: number;
  /** Labelled facts, in the order of their importance. */
  readonly facts: readonly (readonly [label: string, value: string])[];
  /** Tables behind the facts. */
  readonly sections?: readonly Section[];
  /** What `--json` prints beside kind, path and bytes. */
  readonly data: Readonly<Record<string, unknown>>;
  /** What `--onnx` writes: bytes of an ONNX file, of what has compiled graphs. */
  readonly sketch?: () => Uint8Array;
}

export interface Section {
  readonly title: string;
  readonly lines: readonly string[];
}

/** Lines of a section beyond this are counted only. */
const SHOWN_LINES = 40;

export function descriptionText({ kind, path, bytes, facts, sections = [] }: Description): string {
  const head = labelledLines([['kind', kind], ['path', printable(path, 1000)], ['size', `${formatBytes(bytes)} (${bytes} B)`], ...facts.map(([label, value]) => [label, printable(value, 1000)] as const)]);
  const body = sections.flatMap(({ title, lines }) => ['', `${title}:`, ...shortened(lines).map((line) => `  ${printable(line, 1000)}`)]);
  return `${[...head, ...body].join('\n')}\n`;
}

export function descriptionJson({ kind, path, bytes, data }: Description): string {
  return `${JSON.stringify({ kind, path, bytes, ...data }, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value), 2)}\n`;
}

function shortened(lines: readonly string[]): readonly string[] {
  return lines.length <= SHOWN_LINES ? lines : [...lines.slice(0, SHOWN_LINES), `and ${lines.length - SHOWN_LINES} more (--json lists all)`];
}

/** `[1, 128]` */
export function shapeText(shape: readonly (number | string)[]): string {
  return `[${shape.join(', ')}]`;
}

/** Counts of equal words, most frequent first: `24 x float16, 2 x float32`. */
export function tally(words: Iterable<string>): Record<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)));
}

export function tallyText(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts).map(([word, count]) => `${count} x ${word}`).join(', ') || 'none';
}
