/** Reads of small blobs over a few kept connections, each server on one core and the client on another. */
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { median, succeed } from '../processes.mjs';
import { startNginx, startOurs, withScratch } from './servers.mjs';

const BLOBS = 500;
const BLOB_BYTES = 4000;
const SECONDS = 3;
const TURNS = 3;

export async function smallReads(record) {
  if (availableParallelism() < 2) throw new Error('a server and its client need a core each, and this machine has one');
  await withScratch('remote-small', async (scratch) => {
    const web = join(scratch, 'web');
    mkdirSync(join(web, 'cas'), { recursive: true });
    const ours = await startOurs(join(scratch, 'ours'), { core: 0 });
    const nginx = await startNginx(web, join(scratch, 'state'), { core: 0 });
    try {
      const digests = await putBlobs(ours, web);
      const rates = { ours: [], nginx: [] };
      for (let turn = 0; turn < TURNS; turn++) {
        rates.nginx.push(await readsPerSecond(nginx, digests));
        rates.ours.push(await readsPerSecond(ours, digests));
      }
      const [mine, peer] = [median(rates.ours), median(rates.nginx)];
      record('small GETs of nginx on one core', peer, '1/s');
      record('small GETs on one core', mine, '1/s');
      record('small GETs on one core, the better of rate / 2000 and ratio to nginx / 0.5', Math.max(mine / 2000, mine / peer / 0.5), 'x', ['>=', 1]);
    } finally {
      await ours.stop();
      await nginx.stop();
    }
  });
}

async function putBlobs(ours, web) {
  const digests = [];
  for (let i = 0; i < BLOBS; i++) {
    const body = randomBytes(BLOB_BYTES);
    const digest = createHash('sha256').update(body).digest('hex');
    const { status } = await fetch(`${ours.url}/cas/${digest}`, { method: 'PUT', body });
    if (status !== 200) throw new Error(`a blob was answered with ${status}`);
    cpSync(ours.file('cas', digest), join(web, 'cas', digest));
    digests.push(digest);
  }
  return digests;
}

async function readsPerSecond({ url }, digests) {
  const client = new URL('small-reads-client.mjs', import.meta.url).pathname;
  const { stdout } = await succeed('taskset', ['-c', '1', process.execPath, client, url, String(SECONDS), String(BLOB_BYTES), ...digests]);
  return Number(stdout);
}
