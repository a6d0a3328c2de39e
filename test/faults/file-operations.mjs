/**
 * Preloaded into a build (`node --import`): counts the calls by which Node.js changes the file system, and with KILL_AT_OPERATION=N ends
 * the process with SIGKILL in front of the Nth. With CLOCK_SHIFT_MS the clock of the process is that much off. Not a test.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const CHANGING = ['open', 'rename', 'link', 'mkdir', 'mkdtemp', 'rm', 'chmod', 'utimes', 'writeFile'];
const last = Number(process.env.KILL_AT_OPERATION ?? Infinity);
globalThis.fileOperations = 0;

for (const name of CHANGING) {
  const original = fs.promises[name];
  fs.promises[name] = (...args) => {
    if (++globalThis.fileOperations >= last) process.kill(process.pid, 'SIGKILL');
    return original(...args);
  };
}
syncBuiltinESMExports();

const shift = Number(process.env.CLOCK_SHIFT_MS ?? 0);
if (shift !== 0) {
  const now = Date.now;
  Date.now = () => now() + shift;
  globalThis.Date = class extends Date {
    constructor(...args) {
      super(...(args.length === 0 ? [now() + shift] : args));
    }
  };
}
