/** Loaded before the server: a disk that hangs or fails for the paths that a file names, whenever it names them. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { lstat, open, rename } = fs.promises;

function faultFor(paths) {
  let faults = {};
  try {
    faults = JSON.parse(fs.readFileSync(process.env.FAULTS, 'utf8'));
  } catch {
    // No faults yet.
  }
  const names = (word) => word !== undefined && paths.some((path) => String(path).includes(word));
  return names(faults.slow) ? 'slow' : names(faults.broken) ? 'broken' : undefined;
}

function faulty(call) {
  return async (path, ...rest) => {
    const fault = faultFor([path, rest[0]]);
    if (fault === 'slow') await new Promise(() => undefined);
    if (fault === 'broken') throw Object.assign(new Error(`EIO: i/o error, '${path}'`), { code: 'EIO', syscall: 'open' });
    return call(path, ...rest);
  };
}

fs.promises.lstat = faulty(lstat);
fs.promises.open = faulty(open);
fs.promises.rename = faulty(rename);
syncBuiltinESMExports();
