/** The HTTP server: its limits, its routes, and the figures of each request. */
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { entryRoutes } from './entry-routes.js';
import { nxRoutes } from './nx-routes.js';
import { discardBody } from './receive-body.js';
import { ROUTES } from './routes.js';
import type { ServerContext } from './server-context.js';
import { serviceRoutes } from './service-routes.js';
import { TransferGuard } from './transfer-guard.js';

const MAX_HEADER_BYTES = 8 << 10;
/** Longer than most proxies and clients keep a connection, so that they close it and not the server under their hands. */
const KEEP_ALIVE_MS = 75_000;
/** Of requests to no route. */
const DRAINED_BYTES = 1 << 20;

export async function createApp(context: ServerContext): Promise<FastifyInstance> {
  const { limits } = context;
  const headMs = limits.clientSeconds * 1000;
  const app = Fastify({
    // Bodies are streams, with limits of their own.
    bodyLimit: Number.MAX_SAFE_INTEGER,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    // Nx would end its run at a 503.
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 256 },
    frameworkErrors: (_error, request, reply) => void notFound(request, reply),
    http: { headersTimeout: headMs, requestTimeout: 0, connectionsCheckingInterval: Math.min(1000, headMs / 2), maxHeaderSize: MAX_HEADER_BYTES },
  });
  app.server.maxConnections = limits.maxConnections;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  watch(app, context);
  app.setNotFoundHandler(notFound);
  await app.register(nxRoutes, context);
  await app.register(entryRoutes, context);
  await app.register(serviceRoutes, context);
  return app;
}

function watch(app: FastifyInstance, { limits, metrics }: ServerContext): void {
  const guard = new TransferGuard(limits.minRate, limits.clientSeconds, () => metrics.cut.inc());
  app.addHook('onRequest', (request, reply, done) => {
    guard.watch(request.raw, reply.raw);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    metrics.requests.inc({ method: request.method, route, status: reply.statusCode });
    metrics.seconds.observe({ route }, reply.elapsedTime / 1000);
    done();
  });
  app.addHook('onClose', (_app, done) => {
    guard.stop();
    done();
  });
}

/** A PUT of Nx that fits no route is refused like any other: 404 would fail its task. */
async function notFound(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  await discardBody(request.raw, DRAINED_BYTES);
  const isNxPut = request.method === 'PUT' && request.url.startsWith(ROUTES.nx.slice(0, ROUTES.nx.indexOf(':')));
  return reply.code(isNxPut ? 403 : 404).type('text/plain').send(isNxPut ? 'refused\n' : 'not found\n');
}
