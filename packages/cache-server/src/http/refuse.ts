/** Answers a request that failed, after what is left of its body. */
import { TundishError, messageOf } from '@tundish/diagnostics';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type CacheCode, cacheError } from '../errors.js';
import { discardBody } from './receive-body.js';
import type { ServerContext } from './server-context.js';

export interface RefusalForm {
  statusOf(code: string): number;
  /** Bodies up to this length are read to their end before the answer. */
  readonly drained: number;
}

export async function refuse({ metrics, log }: ServerContext, thrown: unknown, request: FastifyRequest, reply: FastifyReply, form: RefusalForm): Promise<FastifyReply> {
  const error = asCacheError(thrown);
  metrics.refused.inc({ code: error.code });
  if (isOwnFault(error.code)) log.warn(`${request.method} ${request.url.slice(0, 200)}: ${error.message}${error.cause === undefined ? '' : ` (${messageOf(error.cause)})`}`);
  await discardBody(request.raw, form.drained);
  if (error.code === 'CACHE_TOKEN_UNKNOWN') reply.header('www-authenticate', 'Bearer');
  return reply.code(form.statusOf(error.code)).type('text/plain').send(textOf(error));
}

const FULL = new Set(['ENOSPC', 'EDQUOT']);

function asCacheError(thrown: unknown): TundishError {
  if (thrown instanceof TundishError && thrown.code.startsWith('CACHE_')) return thrown;
  const why = String((thrown as NodeJS.ErrnoException | null)?.code ?? 'its log says why');
  const code: CacheCode = FULL.has(why) ? 'CACHE_QUOTA' : 'CACHE_DISK';
  return cacheError(code, { what: code === 'CACHE_QUOTA' ? 'the disk of the cache server is full' : 'the cache server could not do this', why, cause: thrown });
}

/** What an operator should look at; all else is the client's. */
function isOwnFault(code: string): boolean {
  return code === 'CACHE_DISK' || code === 'CACHE_SLOW_DISK' || code === 'CACHE_QUOTA';
}

/** The facts, and nothing of the server's own paths. */
function textOf({ code, what, why, fix }: TundishError): string {
  return [`${code}: ${what}`, ...(why === undefined ? [] : [`  why: ${why}`]), ...(fix === undefined ? [] : [`  fix: ${fix}`]), ''].join('\n');
}
