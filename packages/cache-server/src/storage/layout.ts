/** Where entries lie below the folder of the server: `trusted/cas/ab/<sha256>`, `namespaces/<name>/nx/42/<hash>`, each beside its record. */

/** `cas`: blobs by sha256. `ac`: action entries by action key. `nx`: archives of Nx by task hash. */
export type Kind = 'cas' | 'ac' | 'nx';

export const KINDS: readonly Kind[] = ['cas', 'ac', 'nx'];

/** Whose entries: `trusted`, or `namespaces/<name>`; also the folder that holds them. */
export type Space = string;

export const TRUSTED: Space = 'trusted';
export const NAMESPACES = 'namespaces';
export const RECORD_SUFFIX = '.json';

export interface EntryName {
  readonly space: Space;
  readonly kind: Kind;
  readonly key: string;
}

const HEX = /^[0-9a-f]{64}$/;
/** Nx counts in decimal today; no letter that a file system could fold is let in. */
const NX_HASH = /^[0-9a-z]{1,64}$/;
const NAMESPACE = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** Whether a key can name an entry: nothing else ever becomes part of a path. */
export function isKey(kind: Kind, key: string): boolean {
  return (kind === 'nx' ? NX_HASH : HEX).test(key);
}

export function isNamespace(name: unknown): name is string {
  return typeof name === 'string' && NAMESPACE.test(name);
}

export function spaceOfNamespace(namespace: string): Space {
  return `${NAMESPACES}/${namespace}`;
}

/** Unique among all entries of a server, and their path below its folder. */
export function idOf({ space, kind, key }: EntryName): string {
  return `${space}/${kind}/${shardOf(kind, key)}/${key}`;
}

/** Task hashes begin with few different digits, and end with all. */
export function shardOf(kind: Kind, key: string): string {
  return kind === 'nx' ? key.slice(-2).padStart(2, '0') : key.slice(0, 2);
}

export function bodyPath(root: string, name: EntryName): string {
  return `${root}/${idOf(name)}`;
}

export function recordPath(root: string, name: EntryName): string {
  return bodyPath(root, name) + RECORD_SUFFIX;
}
