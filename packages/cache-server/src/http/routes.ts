/** The paths of the server. */
export const ROUTES = {
  nx: '/v1/cache/:hash',
  cas: '/cas/:sha256',
  ac: '/ac/:key',
  health: '/health',
  metrics: '/metrics',
  openapi: '/openapi.json',
} as const;
