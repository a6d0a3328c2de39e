/** One kept execution of a graph: tensors `in.NAME` and `out.NAME` of a safetensors file, as raw bytes. */
import { readFileSync } from 'node:fs';

export interface KeptExecution {
  readonly input: Readonly<Record<string, Uint8Array>>;
  readonly output: Readonly<Record<string, Uint8Array>>;
}

export function readExecution(path: string): KeptExecution {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, { readonly data_offsets: readonly [number, number] }>;
  const of = (prefix: string): Record<string, Uint8Array> =>
    Object.fromEntries(Object.entries(header).filter(([name]) => name.startsWith(prefix)).map(([name, { data_offsets: [from, to] }]) => [name.slice(prefix.length), Uint8Array.from(bytes.subarray(start + from, start + to))]));
  return { input: of('in.'), output: of('out.') };
}
