/** Finds who a token belongs to, in a time that tells nothing about the tokens. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { ANONYMOUS, type Principal, principalOf } from './principal.js';
import { readTokenFile } from './token-file.js';

interface Known {
  readonly digest: Buffer;
  readonly principal: Principal;
}

export class TokenTable {
  #known: readonly Known[] = [];

  /** @param path file of tokens; undefined lets everybody do everything @throws CACHE_TOKEN_FILE */
  constructor(readonly path: string | undefined) {
    this.reload();
  }

  get count(): number {
    return this.#known.length;
  }

  /** Reads the file again; on a fault the tokens stay as they were. @throws CACHE_TOKEN_FILE */
  reload(): void {
    if (this.path === undefined) return;
    this.#known = readTokenFile(this.path).map(({ name, sha256, scope, namespace }) => ({ digest: Buffer.from(sha256, 'hex'), principal: principalOf(name, scope === 'read-write', namespace) }));
  }

  /** @param authorization the header of that name; undefined when there is none */
  principalOf(authorization: string | undefined): Principal | undefined {
    if (this.path === undefined) return ANONYMOUS;
    const [, token] = /^bearer +(\S{1,512})$/i.exec(authorization ?? '') ?? [];
    if (token === undefined) return undefined;
    const digest = createHash('sha256').update(token).digest();
    // All are compared, whichever fits.
    const fitting = this.#known.filter((known) => timingSafeEqual(known.digest, digest));
    return fitting[0]?.principal;
  }
}
