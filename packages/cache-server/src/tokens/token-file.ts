/** The file of tokens: who may do what, with the sha256 of each token and never the token itself. */
import { readFileSync } from 'node:fs';
import { messageOf, printable } from '@tundish/diagnostics';
import { isSha256 } from '@tundish/store';
import { cacheError } from '../errors.js';
import { isNamespace } from '../storage/layout.js';

export const SCOPES = ['read', 'read-write'] as const;
export const TRUSTS = ['trusted', 'untrusted'] as const;

export interface TokenEntry {
  readonly name: string;
  /** Of the token as UTF-8. */
  readonly sha256: string;
  readonly scope: (typeof SCOPES)[number];
  readonly trust: (typeof TRUSTS)[number];
  /** Where an untrusted token writes; absent for a trusted one. */
  readonly namespace?: string;
}

const FIELDS = new Set(['name', 'sha256', 'scope', 'trust', 'namespace']);
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const FIX = 'compare it with docs/cache-server.md; `tundish-cache token` prints an entry';

/** @throws CACHE_TOKEN_FILE */
export function readTokenFile(path: string): TokenEntry[] {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw cacheError('CACHE_TOKEN_FILE', { what: 'the file of tokens cannot be read', why: printable(messageOf(cause)), evidence: { path }, fix: FIX, cause });
  }
  const faults = faultsOf(value);
  if (faults.length > 0) throw cacheError('CACHE_TOKEN_FILE', { what: 'the file of tokens does not have the expected form', why: faults.slice(0, 5).join('; '), evidence: { path }, fix: FIX });
  return value as TokenEntry[];
}

/** What keeps an entry from being one of the file; none when it is right. */
export function faultsOfToken(value: unknown, place: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${place} must be a mapping`];
  const { name, sha256, scope, trust, namespace } = value as Partial<Record<keyof TokenEntry, unknown>>;
  const faults = Object.keys(value).filter((field) => !FIELDS.has(field)).map((field) => `${place}.${printable(field, 40)} is unknown`);
  if (typeof name !== 'string' || !NAME.test(name)) faults.push(`${place}.name must be letters, digits, dots, dashes and underscores, 64 at most`);
  if (!isSha256(sha256)) faults.push(`${place}.sha256 must be 64 lower-case hexadecimal digits`);
  if (!SCOPES.some((known) => known === scope)) faults.push(`${place}.scope must be ${SCOPES.join(' or ')}`);
  if (!TRUSTS.some((known) => known === trust)) faults.push(`${place}.trust must be ${TRUSTS.join(' or ')}`);
  if (trust === 'untrusted' && !isNamespace(namespace)) faults.push(`${place}.namespace must be lower-case letters, digits, dots, dashes and underscores, 64 at most, since the token is untrusted`);
  if (trust === 'trusted' && namespace !== undefined) faults.push(`${place}.namespace is only for an untrusted token`);
  return faults;
}

function faultsOf(value: unknown): string[] {
  if (!Array.isArray(value)) return ['it must be a list'];
  const faults = value.flatMap((entry, i) => faultsOfToken(entry, `entry ${i}`));
  if (faults.length > 0) return faults;
  const entries = value as TokenEntry[];
  const repeated = (field: 'name' | 'sha256'): string[] => entries.filter((entry, i) => entries.findIndex((other) => other[field] === entry[field]) !== i).map((entry) => `the ${field} of ${entry.name} is that of another entry too`);
  return [...repeated('name'), ...repeated('sha256')];
}
