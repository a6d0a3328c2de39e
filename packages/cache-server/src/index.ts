/** The server that machines share results through. */
export { startServer } from './start-server.js';
export type { RunningServer } from './start-server.js';
export type { ServerConfig, ServerLimits } from './server-config.js';
export type { Logger } from './logger.js';
