/** Who a request comes from. */
import type { FastifyRequest } from 'fastify';
import { cacheError } from '../errors.js';
import type { Principal } from '../tokens/principal.js';
import type { ServerContext } from './server-context.js';

/** @throws CACHE_TOKEN_UNKNOWN */
export function identify({ tokens }: ServerContext, { headers }: FastifyRequest): Principal {
  const principal = tokens.principalOf(headers.authorization);
  if (principal === undefined) throw cacheError('CACHE_TOKEN_UNKNOWN', { what: headers.authorization === undefined ? 'the request has no token' : 'this server does not know the token' });
  return principal;
}
