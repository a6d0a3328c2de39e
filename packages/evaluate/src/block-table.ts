/** Where the loss of a quantized build sits: SQNR block by block, as a table and as JSON. */
import { alignColumns } from './columns.js';

/** SQNR in dB of what leaves one block, `Sqnr.decibels` of each. */
export interface BlockErrors {
  /** Everything up to and including this block is quantized. */
  readonly stream: number;
  /** Only this block is: it reads the floating-point stream. */
  readonly own: number;
  /** The block's K and V, on the quantized stream; absent for the embedding and the head. */
  readonly key?: number;
  readonly value?: number;
}

export interface BlockRow {
  /** `embedding`, the number of a decoder block, `logits`. */
  readonly block: string;
  /** By artifact: `float`, or `weights` and, when activations have encodings, `full`. */
  readonly artifacts: Readonly<Record<string, BlockErrors>>;
}

const MEASURES = ['stream', 'own', 'key', 'value'] as const;
const TITLES = { stream: 'stream', own: 'own', key: 'K', value: 'V' } as const;

/** Decibels with one digit; words where there is no number: `exact`, `no signal`, `not finite`. */
export function formatDecibels(decibels: number): string {
  if (Number.isFinite(decibels)) return decibels.toFixed(1);
  return wordFor(decibels);
}

/** One line a block, four columns an artifact. */
export function formatBlockTable(rows: readonly BlockRow[]): string {
  const artifacts = Object.keys(rows[0]?.artifacts ?? {});
  const head = ['block', ...artifacts.flatMap((artifact) => MEASURES.map((measure) => `${artifact} ${TITLES[measure]}`))];
  const lines = rows.map(({ block, artifacts: errors }) => [block, ...artifacts.flatMap((artifact) => MEASURES.map((measure) => cell(errors[artifact]?.[measure])))]);
  return alignColumns([head, ...lines]);
}

/** The rows as JSON, in which a measure without a number is the word of the table. */
export function blockTableJson(rows: readonly BlockRow[]): string {
  return JSON.stringify(rows, (_, value: unknown) => (typeof value === 'number' && !Number.isFinite(value) ? wordFor(value) : value), 2);
}

function cell(decibels: number | undefined): string {
  return decibels === undefined ? '' : formatDecibels(decibels);
}

function wordFor(decibels: number): string {
  if (Number.isNaN(decibels)) return 'not finite';
  return decibels > 0 ? 'exact' : 'no signal';
}
