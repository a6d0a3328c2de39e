/**
 * `/v1/cache`: the remote cache of Nx. Its client ends a whole run at most answers, so whatever goes wrong is told as what it
 * takes well: 404 to a GET, 403 or 409 to a PUT, after the body and within a deadline.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isKey } from '../storage/layout.js';
import { identify } from './identify.js';
import { receiveEntry } from './receive-entry.js';
import { refuse } from './refuse.js';
import { ROUTES } from './routes.js';
import { serveEntry } from './serve-entry.js';
import type { ServerContext } from './server-context.js';

/** Nx holds a body in memory and sends all of it before it listens. */
const DRAINED_BYTES = 16 * 2 ** 30;

export async function nxRoutes(app: FastifyInstance, context: ServerContext): Promise<void> {
  app.setErrorHandler((thrown, request, reply) => {
    const statusOf = (code: string): number => (request.method !== 'PUT' ? 404 : code === 'CACHE_IMMUTABLE' ? 409 : 403);
    return refuse(context, thrown, request, reply, { statusOf, drained: DRAINED_BYTES });
  });
  app.route({
    method: ['GET', 'HEAD'],
    url: ROUTES.nx,
    handler: async (request, reply): Promise<FastifyReply> => {
      const { view } = identify(context, request);
      const { hash: key } = request.params as { readonly hash: string };
      if (!isKey('nx', key) || !(await serveEntry(context, request, reply, { kind: 'nx', key, view }))) void reply.code(404).type('text/plain').send('not found\n');
      return reply;
    },
  });
  app.put(ROUTES.nx, async (request: FastifyRequest<{ Params: { hash: string } }>, reply) => {
    await receiveEntry(context, request.raw, { kind: 'nx', key: request.params.hash, principal: identify(context, request) });
    return reply.code(200).type('text/plain').send('stored\n');
  });
}
