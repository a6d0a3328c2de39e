/** specializations.json of the cloud compiler, in the named form and in the older flat form. */
import { containerError } from './errors.js';

/** One specialization in the flat form; `_graph_name` tags it and is no symbol. */
export type FlatSpecialization = Readonly<Record<string, string | number>>;

export interface NamedSpecialization {
  readonly name: string;
  /** All values are strings. */
  readonly symbols: Readonly<Record<string, string>>;
}

const TAG = '_graph_name';
const VISION_KEYS = ['vision_size', 'img_size', 'grid_height', 'grid_width', 'grid_h', 'grid_w'];

/** The specializations of a grid: AR descending (prefill first), then CL ascending; batch size is 1. */
export function gridSpecializations(ars: readonly number[], contextLengths: readonly number[]): FlatSpecialization[] {
  const descending = [...ars].sort((a, b) => b - a);
  const ascending = [...contextLengths].sort((a, b) => a - b);
  return descending.flatMap((ar) => ascending.map((cl) => ({ batch_size: '1', seq_len: String(ar), ctx_len: String(cl) })));
}

/** The older file: `{"specializations": [{"batch_size": "1", ...}]}`. */
export function flatSpecializations(specializations: readonly FlatSpecialization[]): { specializations: Record<string, string>[] } {
  return { specializations: specializations.map(symbolsOf) };
}

/**
 * The newer file. Names: the tag; else Decode or Prefill by `seq_len`; else Vision, Encoder or Embedding by the keys; else Graph_N.
 * Equal names get `_0`, `_1`, ... in order.
 *
 * @throws TundishError CONTAINER_SPECIALIZATION_INVALID for an entry without symbols
 */
export function namedSpecializations(specializations: readonly FlatSpecialization[]): { specializations: NamedSpecialization[] } {
  const names = unique(specializations.map(nameOf));
  return { specializations: specializations.map((specialization, index) => ({ name: names[index] as string, symbols: symbolsOf(specialization, index) })) };
}

/** Numbers equal names from 0, passing over a number that somebody took as a name. */
function unique(names: readonly string[]): string[] {
  const taken = new Set(names.filter((name) => names.indexOf(name) === names.lastIndexOf(name)));
  const next = new Map<string, number>();
  return names.map((name) => {
    if (taken.has(name)) return name;
    let serial = next.get(name) ?? 0;
    while (taken.has(`${name}_${serial}`)) serial++;
    next.set(name, serial + 1);
    return `${name}_${serial}`;
  });
}

function symbolsOf(specialization: FlatSpecialization, index: number): Record<string, string> {
  const symbols = Object.fromEntries(Object.entries(specialization).filter(([key]) => key !== TAG).map(([key, value]) => [key, String(value)]));
  if (Object.keys(symbols).length > 0) return symbols;
  throw containerError('CONTAINER_SPECIALIZATION_INVALID', { what: `specialization ${index} has no symbols` });
}

function nameOf(specialization: FlatSpecialization, index: number): string {
  const has = (key: string): boolean => Object.hasOwn(specialization, key);
  if (has(TAG)) return String(specialization[TAG]);
  if (has('seq_len')) return String(specialization['seq_len']) === '1' ? 'Decode' : 'Prefill';
  if (VISION_KEYS.some(has)) return 'Vision';
  if (has('encoder_ctx_len')) return 'Encoder';
  return has('sequence_length') ? 'Embedding' : `Graph_${index}`;
}
