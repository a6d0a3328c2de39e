/** The wait for the first token of a command line, from the start of its process to the end, with the container in the page cache. */
import { once } from 'node:events';
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { median, succeed } from '../processes.mjs';

const RUNS = 3;

export async function firstToken(record, shape, container) {
  for (const entry of readdirSync(container, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) await once(createReadStream(join(entry.parentPath, entry.name)).resume(), 'close');
  }
  const words = ['generate', container, '--ids', '1,2,3', '--max-tokens', '1'];
  const direct = [];
  const npx = [];
  for (let i = 0; i < RUNS; i++) {
    direct.push((await succeed('node', ['packages/cli/bin/tundish.js', ...words])).seconds);
    npx.push((await succeed('npx', ['tundish', ...words])).seconds);
  }
  record(`${shape}: first token of npx tundish generate`, median(npx), 's', ['<=', 4]);
  record(`${shape}: first token of node tundish.js generate`, median(direct), 's');
  record(`${shape}: share of npx`, median(npx) - median(direct), 's');
}
