/** Entries of an encodings file by name and role; versions 2 do not say the role of all. */
import type { EncodingsDocument, EncodingsEntry, TensorEncoding } from '../encodings-formats/document.js';
import { likeness } from './names.js';

type Role = NonNullable<EncodingsEntry['role']>;

export class Entries {
  readonly #read = new Set<EncodingsEntry>();

  constructor(private readonly document: EncodingsDocument) {}

  /** The encoding of that name. */
  of(role: Role, name: string): TensorEncoding | undefined {
    return this.#take(this.#having(role).find((entry) => entry.name === name));
  }

  /** The entry whose name is most like one of ours; none where two are alike. */
  like(role: Role, ours: string, names: ReadonlyMap<string, string>): TensorEncoding | undefined {
    const ranked = this.#having(role).map((entry) => ({ entry, rank: rankOf(entry.name, ours, names) }));
    const highest = Math.max(1, ...ranked.map(({ rank }) => rank));
    const best = ranked.filter(({ rank }) => rank === highest);
    return best.length === 1 ? this.#take(best[0]?.entry) : undefined;
  }

  names(role: Role): readonly string[] {
    return this.#having(role).map(({ name }) => name);
  }

  /** Names that nothing asked for. */
  unread(): readonly string[] {
    return this.document.entries.filter((entry) => !this.#read.has(entry)).map(({ name }) => name);
  }

  #having(role: Role): readonly EncodingsEntry[] {
    return this.document.entries.filter((entry) => entry.role === undefined || entry.role === role);
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
