/** An encodings file of any schema version: how many encodings of which form and width. */
import type { Description } from './description.js';
import { tally } from './description.js';

type Json = Readonly<Record<string, unknown>>;

/** True for the object of an encodings file, of whatever version. */
export function isEncodings(value: Json): boolean {
  return 'activation_encodings' in value || ('encodings' in value && typeof value['version'] === 'string');
}

/** Counts by form: `LPBQ 4 bit`, `PER_TENSOR 16 bit`, in version 2 by the element type. */
export function describeEncodings(path: string, bytes: number, value: Json): Description {
  const version = String(value['version'] ?? '0.6.1 (not stated)');
  const tables = 'encodings' in value ? { encodings: value['encodings'] } : { activations: value['activation_encodings'], parameters: value['param_encodings'] };
  const counts = Object.fromEntries(Object.entries(tables).map(([table, entries]) => [table, tally(entriesOf(entries).map(formOf))]));
  const total = (forms: Readonly<Record<string, number>>): number => Object.values(forms).reduce((sum, count) => sum + count, 0);
  return {
    kind: 'encodings file',
    path,
    bytes,
    facts: [['schema version', version], ...Object.entries(counts).map(([table, forms]) => [table, String(total(forms))] as const)],
    sections: Object.entries(counts).map(([table, forms]) => ({ title: table, lines: Object.entries(forms).map(([form, count]) => `${String(count).padStart(6)}  ${form}`) })),
    data: { version, counts },
  };
}

/** Lists since 1.0.0, objects by name before. A tensor of 0.6.1 is itself a list, one entry a channel. */
function entriesOf(table: unknown): Json[] {
  const entries: unknown[] = Array.isArray(table) ? table : Object.values((table ?? {}) as Json);
  return entries.map((entry) => (Array.isArray(entry) ? { ...(entry[0] as Json), channels: entry.length } : (entry as Json) ?? {}));
}

function formOf(entry: Json): string {
  if (typeof entry['output_dtype'] === 'string') {
    const block = entry['block_size'] === undefined ? '' : `, blocks of ${String(entry['block_size'])}`;
    return `${entry['output_dtype']}${entry['axis'] === undefined ? ' per tensor' : ` along axis ${String(entry['axis'])}`}${block}`;
  }
  const bits = entry['compressed_bw'] ?? entry['bw'] ?? entry['bitwidth'];
  const form = entry['enc_type'] ?? (Number(entry['channels']) > 1 ? 'PER_CHANNEL' : 'PER_TENSOR');
  return `${String(form)} ${String(bits ?? '?')} bit`;
}
