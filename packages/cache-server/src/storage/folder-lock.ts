/** One server for one folder: it holds a socket there, which the system takes back however the server ends. */
import { closeSync, constants, existsSync, openSync, rmSync } from 'node:fs';
import { type Server, connect, createServer } from 'node:net';
import { cacheError } from '../errors.js';

const NAME = 'server.sock';

/** @returns gives the folder back; @throws CACHE_FOLDER_BUSY, CACHE_FOLDER */
export async function lockFolder(root: string): Promise<() => Promise<void>> {
  const folder = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  // The address of a socket holds about a hundred characters, which a path may exceed; this name of the folder is short.
  const short = `/proc/self/fd/${folder}`;
  const path = `${existsSync(short) ? short : root}/${NAME}`;
  try {
    const server = await listenAt(path, root);
    return () =>
      new Promise((resolve) => {
        server.close(() => {
          closeSync(folder);
          resolve();
        });
      });
  } catch (error) {
    closeSync(folder);
    throw error;
  }
}

async function listenAt(path: string, root: string): Promise<Server> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await listen(path);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cacheError('CACHE_FOLDER', { what: 'the folder of the cache server cannot be locked', why: (cause as Error).message, evidence: { path: root }, fix: 'choose a folder on a local disk, where sockets can be made', cause });
      if (attempt > 0 || (await answers(path))) throw cacheError('CACHE_FOLDER_BUSY', { what: 'another cache server uses this folder', evidence: { path: root }, fix: 'stop it, or give this one a folder of its own' });
      // Its server was killed.
      rmSync(path, { force: true });
    }
  }
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject).listen(path, () => resolve(server.unref()));
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => socket.destroy());
    socket.once('error', () => resolve(false)).once('close', (hadError) => resolve(!hadError));
  });
}
