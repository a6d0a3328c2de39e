/** Clients of the remote cache. Loaded only where one is named. */
export { DEADLINES } from './deadlines.js';
export type { Deadlines } from './deadlines.js';
export { openRemoteCache } from './open-remote-cache.js';
export { marksOfProcess } from './outage.js';
export type { RunMark, RunMarks } from './outage.js';
export { RemoteSession } from './session.js';
export type { RemoteSessionRequest } from './session.js';
