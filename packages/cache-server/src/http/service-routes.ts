/** `/health`, `/metrics` and `/openapi.json`. */
import type { FastifyInstance } from 'fastify';
import { openapi } from './openapi.js';
import { ROUTES } from './routes.js';
import type { ServerContext } from './server-context.js';

export async function serviceRoutes(app: FastifyInstance, { metrics, store }: ServerContext): Promise<void> {
  app.get(ROUTES.health, async () => ({ status: 'ok', entries: store.trusted.count + store.namespaces.count }));
  app.get(ROUTES.metrics, async (_request, reply) => reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()));
  app.get(ROUTES.openapi, async () => openapi);
}
