/** A body of 3 GB to both servers and from both, in turns; the ratio of each turn, and the memory that ours took. */
import { createHash } from 'node:crypto';
import { mkdirSync, openSync, closeSync, ftruncateSync, rmSync, linkSync } from 'node:fs';
import { join } from 'node:path';
import { requireSpace } from '../disk.mjs';
import { median, succeed } from '../processes.mjs';
import { startNginx, startOurs, withScratch } from './servers.mjs';

const BYTES = 3e9;
const TURNS = 3;

export async function largeBodies(record) {
  await withScratch('remote-large', async (scratch) => {
    requireSpace(scratch, 2.2 * BYTES, 'a body of 3 GB in two servers');
    const source = join(scratch, 'source');
    makeSparse(source);
    const digest = digestOfZeros();
    const web = join(scratch, 'web');
    mkdirSync(web);
    const ours = await startOurs(join(scratch, 'ours'));
    const nginx = await startNginx(web, join(scratch, 'state'));
    try {
      const rates = { putOurs: [], putNginx: [], getOurs: [], getNginx: [] };
      for (let turn = 0; turn < TURNS; turn++) {
        await succeed('sync', []);
        rates.putNginx.push(await put(source, `${nginx.url}/body`));
        rmSync(join(web, 'body'));
        await succeed('sync', []);
        rates.putOurs.push(await put(source, `${ours.url}/cas/${digest}`));
        // The same file, not a copy: what the system has in memory is the same for both.
        linkSync(ours.file('cas', digest), join(web, 'same'));
        rates.getNginx.push(await get(`${nginx.url}/same`));
        rates.getOurs.push(await get(`${ours.url}/cas/${digest}`));
        rmSync(join(web, 'same'));
        rmSync(ours.file('cas', digest));
        // Ours notices, and takes it again in the next turn.
        await get(`${ours.url}/cas/${digest}`, 404);
      }
      report(record, rates);
      record('resident memory of the server at most', ours.peakMegabytes(), 'MB', ['<=', 200]);
    } finally {
      await ours.stop();
      await nginx.stop();
    }
  });
}

function report(record, { putOurs, putNginx, getOurs, getNginx }) {
  for (const [what, mine, peer] of [['GET', getOurs, getNginx], ['PUT', putOurs, putNginx]]) {
    record(`3 GB ${what} from nginx`, median(peer) / 1e6, 'MB/s');
    record(`3 GB ${what}`, median(mine) / 1e6, 'MB/s');
    record(`3 GB ${what} against nginx`, median(mine.map((rate, turn) => rate / peer[turn])), 'x', ['>=', 0.5]);
  }
}

/** Bytes a second. */
async function put(source, url) {
  return timed(['-H', 'Expect:', '-T', source, '-w', '%{http_code} %{speed_upload}', url], ['200', '201']);
}

async function get(url, status = 200) {
  return timed(['-w', '%{http_code} %{speed_download}', url], [String(status)]);
}

async function timed(args, wanted) {
  const { stdout } = await succeed('curl', ['-s', '-o', '/dev/null', ...args]);
  const [status, rate] = stdout.trim().split(' ');
  if (!wanted.includes(status)) throw new Error(`${args.at(-1)} answered ${status}`);
  return Number(rate);
}

/** Takes no room on the disk and no time to read. */
function makeSparse(path) {
  const file = openSync(path, 'w');
  ftruncateSync(file, BYTES);
  closeSync(file);
}

function digestOfZeros() {
  const hash = createHash('sha256');
  const piece = Buffer.alloc(1e6);
  for (let bytes = 0; bytes < BYTES; bytes += piece.length) hash.update(piece);
  return hash.digest('hex');
}
