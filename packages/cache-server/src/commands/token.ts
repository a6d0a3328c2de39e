/** `tundish-cache token`: makes a token and its entry for the file of tokens. */
import { randomBytes } from 'node:crypto';
import { sha256 } from '@tundish/store';
import { cacheError } from '../errors.js';
import type { Io } from '../io.js';
import { type TokenEntry, faultsOfToken } from '../tokens/token-file.js';

export type TokenFlags = Omit<TokenEntry, 'sha256'> & { readonly json: boolean };

const BYTES = 32;

/** @throws CACHE_USAGE */
export function tokenCommand({ name, scope, trust, namespace, json }: TokenFlags, io: Io): void {
  const token = `tundish_${randomBytes(BYTES).toString('base64url')}`;
  const entry: TokenEntry = { name, sha256: sha256(token), scope, trust, ...(namespace === undefined ? {} : { namespace }) };
  const faults = faultsOfToken(entry, 'the token');
  if (faults.length > 0) throw cacheError('CACHE_USAGE', { what: 'no token can be made with these options', why: faults.join('; ') });
  if (json) return io.out(`${JSON.stringify({ token, entry })}\n`);
  io.out(`token, shown only now:\n  ${token}\nentry for the file of tokens, a JSON list:\n  ${JSON.stringify(entry)}\n`);
}
