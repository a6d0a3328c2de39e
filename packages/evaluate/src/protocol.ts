/** What was measured and how: hashed into every result, so that only comparable numbers are compared. */
import { createHash } from 'node:crypto';
import type { WindowShape } from './windows.js';

/** Everything that decides the numbers of a result but the artifact that was measured. */
export interface Protocol extends WindowShape {
  /** Name for people, for example `gptq-2048`. */
  readonly name: string;
  /** SHA-256 of the text file, or of the tensor of token windows. */
  readonly textSha256: string;
  /** What that file holds: `text`, `jsonl`, `chat`, or `tokens` where it gives the windows themselves. */
  readonly textFormat: string;
  /** Token between the documents of a file of several; null for none. */
  readonly join: number | null;
  /** SHA-256 of tokenizer.json. */
  readonly tokenizerSha256: string;
  /** SHA-256 over the digests of the checkpoint that everything is held against. */
  readonly teacherSha256: string;
  /** The token that `bosPolicy` puts; null where the tokenizer puts none. */
  readonly bos: number | null;
  /** How many windows are scored, from the first. */
  readonly windows: number;
  /** Additive value of masked positions in the teacher. */
  readonly maskValue: number;
  /** Kernels that computed the probabilities. */
  readonly kernelProfile: string;
}

/** Log-softmax in float64, summed in index order: the profile of `RowComparer`. */
export const KERNEL_PROFILE = 'log-softmax float64, index order, table exp 1';

/** A value of a protocol: what JSON has, without undefined. */
type Field = string | number | boolean | null | readonly Field[] | { readonly [name: string]: Field };

/** The fields of a protocol by dotted path, sorted. */
export function protocolFields(protocol: object): Map<string, Field> {
  const fields = new Map<string, Field>();
  const visit = (value: object, prefix: string): void => {
    for (const [name, field] of Object.entries(value) as [string, Field][]) {
      if (typeof field === 'object' && field !== null && !Array.isArray(field)) visit(field, `${prefix}${name}.`);
      else fields.set(`${prefix}${name}`, field);
    }
  };
  visit(protocol, '');
  return new Map([...fields].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** SHA-256 of the protocol's fields as JSON, sorted by name. */
export function protocolHash(protocol: object): string {
  return createHash('sha256').update(JSON.stringify([...protocolFields(protocol)])).digest('hex');
}
