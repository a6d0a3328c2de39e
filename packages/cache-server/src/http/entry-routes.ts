/** `/cas` and `/ac`: blobs and action entries, in the form of Bazel's HTTP cache. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { cacheError } from '../errors.js';
import { type Kind, isKey } from '../storage/layout.js';
import { identify } from './identify.js';
import { receiveEntry } from './receive-entry.js';
import { refuse } from './refuse.js';
import { ROUTES } from './routes.js';
import { serveEntry } from './serve-entry.js';
import type { ServerContext } from './server-context.js';
import { statusOf } from './status.js';

/** A refused body up to this size is read to its end before the answer. */
const DRAINED_BYTES = 64 << 20;

export async function entryRoutes(app: FastifyInstance, context: ServerContext): Promise<void> {
  app.setErrorHandler((thrown, request, reply) => refuse(context, thrown, request, reply, { statusOf, drained: DRAINED_BYTES }));
  addRoutes(app, context, 'cas', ROUTES.cas);
  addRoutes(app, context, 'ac', ROUTES.ac);
}

function addRoutes(app: FastifyInstance, context: ServerContext, kind: Kind, url: string): void {
  app.route({
    method: ['GET', 'HEAD'],
    url,
    handler: async (request, reply): Promise<FastifyReply> => {
      const { view } = identify(context, request);
      const key = keyOf(request);
      if (!isKey(kind, key)) throw cacheError('CACHE_KEY', { what: 'a key is 64 lower-case hexadecimal digits' });
      if (!(await serveEntry(context, request, reply, { kind, key, view }))) void reply.code(404).type('text/plain').send('not found\n');
      return reply;
    },
  });
  app.put(url, async (request, reply) => {
    await receiveEntry(context, request.raw, { kind, key: keyOf(request), principal: identify(context, request) });
    return reply.code(200).type('text/plain').send('stored\n');
  });
}

function keyOf(request: FastifyRequest): string {
  return Object.values(request.params as Record<string, string>)[0] ?? '';
}
