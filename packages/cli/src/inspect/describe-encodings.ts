/** An encodings file of any schema version: how many encodings of which form and width. */
import { parseEncodings, type EncodingsEntry, type TensorEncoding } from '@tundish/quantize';
import type { Description } from './description.js';
import { tally } from './description.js';

/** What versions 2 leave open is neither. */
const TITLES = { activation: 'activations', parameter: 'parameters', undecided: 'activations or parameters' } as const;

/**
 * Counts by form, `LPBQ 4 bit, blocks of 32` or `PER_TENSOR 16 bit`, the same words for every version.
 *
 * @throws ENCODINGS_*
 */
export function describeEncodings(path: string, bytes: number, text: string): Description {
  const { version, entries, extra } = parseEncodings(text, { path });
  const producer = extra.get('producer');
  const counts = Object.fromEntries(Object.entries(TITLES).flatMap(([role, title]) => {
    const forms = tally(entries.filter((entry) => (entry.role ?? 'undecided') === role).map(formOf));
    return Object.keys(forms).length === 0 ? [] : [[title, forms]];
  }));
  const total = (forms: Readonly<Record<string, number>>): number => Object.values(forms).reduce((sum, count) => sum + count, 0);
  return {
    kind: 'encodings file',
    path,
    bytes,
    facts: [
      ['schema version', version],
      ...(producer instanceof Map ? [['made by', [...producer.values()].map(String).join(' ')] as const] : []),
      ...Object.entries(counts).map(([table, forms]) => [table, String(total(forms))] as const),
    ],
    sections: Object.entries(counts).map(([table, forms]) => ({ title: table, lines: Object.entries(forms).map(([form, count]) => `${String(count).padStart(6)}  ${form}`) })),
    data: { version, counts },
  };
}

const FORMS: Readonly<Record<Exclude<TensorEncoding['kind'], 'float'>, string>> = { 'per-tensor': 'PER_TENSOR', 'per-channel': 'PER_CHANNEL', 'per-block': 'PER_BLOCK', lpbq: 'LPBQ' };

function formOf({ encoding }: EncodingsEntry): string {
  if (encoding.kind === 'float') return `float ${encoding.bits} bit`;
  const bits = encoding.kind === 'lpbq' ? encoding.bits : encoding.grid.bits;
  const symmetric = encoding.kind !== 'lpbq' && !encoding.grid.symmetric ? ' asymmetric' : '';
  const blocks = 'blockSize' in encoding ? `, blocks of ${encoding.blockSize}` : '';
  return `${FORMS[encoding.kind]} ${bits} bit${symmetric}${blocks}`;
}
