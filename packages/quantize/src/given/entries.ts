/** Entries of an encodings file by name and role; versions 2 do not say the role of all. */
import type { EncodingsDocument, EncodingsEntry, TensorEncoding } from '../encodings-formats/document.js';
import { likeness } from './names.js';

type Role = NonNullable<EncodingsEntry['role']>;

export class Entries {
  readonly #read = new Set<EncodingsEntry>();
  readonly #tables: Readonly<Record<Role, ReadonlyMap<string, EncodingsEntry>>>;

  constructor(private readonly document: EncodingsDocument) {
    const table = (role: Role): ReadonlyMap<string, EncodingsEntry> => new Map(document.entries.filter((entry) => entry.role === undefined || entry.role === role).map((entry) => [entry.name, entry]));
    this.#tables = { activation: table('activation'), parameter: table('parameter') };
  }

  /** The encoding of that name. */
  of(role: Role, name: string): TensorEncoding | undefined {
    return this.#take(this.#tables[role].get(name));
  }

  /** The entry whose name is most like one of ours; none where two are alike. */
  like(role: Role, ours: string, names: ReadonlyMap<string, string>): TensorEncoding | undefined {
    const ranked = [...this.#tables[role].values()].map((entry) => ({ entry, rank: rankOf(entry.name, ours, names) }));
    const highest = Math.max(1, ...ranked.map(({ rank }) => rank));
    const best = ranked.filter(({ rank }) => rank === highest);
    return best.length === 1 ? this.#take(best[0]?.entry) : undefined;
  }

  names(role: Role): readonly string[] {
    return [...this.#tables[role].keys()];
  }

  /** Names that nothing asked for. */
  unread(): readonly string[] {
    return this.document.entries.filter((entry) => !this.#read.has(entry)).map(({ name }) => name);
  }

  #take(entry: EncodingsEntry | undefined): TensorEncoding | undefined {
    if (entry !== undefined) this.#read.add(entry);
    return entry?.encoding;
  }
}

function rankOf(theirs: string, ours: string, names: ReadonlyMap<string, string>): number {
  const given = names.get(theirs);
  return given === undefined ? likeness(ours, theirs) : given === ours ? 10 : 0;
}
