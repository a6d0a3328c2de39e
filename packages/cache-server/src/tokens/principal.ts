/** Who sends a request, and what that allows. */
import { type Space, TRUSTED, spaceOfNamespace } from '../storage/layout.js';

export interface Principal {
  /** Name of the token, kept in the record of what it writes. */
  readonly name: string;
  readonly mayWrite: boolean;
  /** Where its entries go. */
  readonly home: Space;
  /** What it reads, in this order: a trusted entry is never hidden by one of a namespace. */
  readonly view: readonly Space[];
}

/** @param namespace of an untrusted token; undefined for a trusted one */
export function principalOf(name: string, mayWrite: boolean, namespace: string | undefined): Principal {
  if (namespace === undefined) return { name, mayWrite, home: TRUSTED, view: [TRUSTED] };
  const home = spaceOfNamespace(namespace);
  return { name, mayWrite, home, view: [TRUSTED, home] };
}

/** Everybody, on a server without tokens, which only this machine reaches. */
export const ANONYMOUS: Principal = principalOf('anonymous', true, undefined);
