/** How long a server with 100,000 entries takes until it answers. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startOurs, withScratch } from './servers.mjs';

const ENTRIES = 100_000;

export async function manyEntries(record) {
  await withScratch('remote-many', async (scratch) => {
    const folder = join(scratch, 'ours');
    for (let i = 0; i < ENTRIES; i++) {
      const body = String(i);
      const sha256 = createHash('sha256').update(body).digest('hex');
      const shard = join(folder, 'trusted/cas', sha256.slice(0, 2));
      mkdirSync(shard, { recursive: true });
      writeFileSync(join(shard, sha256), body);
      writeFileSync(join(shard, `${sha256}.json`), JSON.stringify({ writer: 'bench', sha256, size: body.length, time: '2026-01-01T00:00:00.000Z' }));
    }
    const ours = await startOurs(folder);
    const { entries } = await (await fetch(`${ours.url}/health`)).json();
    const memory = ours.peakMegabytes();
    await ours.stop();
    record('entries found at the start', entries, '', ['=', ENTRIES]);
    record('start with 100,000 entries', ours.startSeconds, 's', ['<=', 5]);
    record('resident memory after it', memory, 'MB', ['<=', 200]);
  });
}
