/** A separate process that works on a store: `node store-process.mjs JOB ROOT [START]`; prints one JSON line. Not a test. */
import { statSync } from 'node:fs';
import { openActionCache, openStore, sha256 } from '../dist/index.js';

const [job, root, start] = process.argv.slice(2);
const store = openStore(root);
const report = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const content = (i) => Buffer.alloc(50_000, `blob ${i} `);

const JOBS = {
  /** Puts and publishes the same twenty results as every other process. */
  async publish() {
    const cache = openActionCache(store, 'llama32');
    const keys = [];
    for (let i = 0; i < 20; i++) {
      const blob = await store.putBytes(content(i));
      const key = sha256(`key ${i}`);
      const manifest = { schema: 1, stage: 'compile', subject: null, outputs: [{ name: 'part.bin', ...blob, mediaType: 'x/y' }], externals: [], facts: { process: process.pid } };
      const info = { source: 's', config: {}, createdAt: '', inputs: {}, wallSeconds: 0, cpuSeconds: 0, memory: { declared: null, measured: 0, of: 'unit', limit: null } };
      const agreed = await cache.publish('compile', key, { manifest, info });
      keys.push([key, agreed.facts.process]);
    }
    report(keys);
  },
  /** Puts many small blobs and links each at once, in step with the other processes from the given time on. */
  async race() {
    while (Date.now() < Number(start)) continue;
    const inodes = await store.withScratch(async (scratch) => {
      const found = [];
      for (let i = 0; i < 1500; i++) {
        const ref = await store.putBytes(Buffer.from(`small ${i}`));
        await store.link(ref, `${scratch}/${i}`);
        found.push(statSync(`${scratch}/${i}`).ino);
      }
      return found;
    });
    report(inodes);
  },
  /** Publishes a result for each of the blobs that lie forgotten in the store, while others collect garbage. */
  async revive() {
    const cache = openActionCache(store, 'llama32');
    const keys = [];
    for (let i = 0; i < 250; i++) {
      const blob = await store.putBytes(Buffer.from(`forgotten ${i}`));
      const key = sha256(`key ${process.pid} ${i}`);
      const manifest = { schema: 1, stage: 'load', subject: null, outputs: [{ name: 'file', ...blob, mediaType: 'x/y' }], externals: [], facts: {} };
      await cache.publish('load', key, { manifest, info: { source: 's', config: {}, createdAt: '', inputs: {}, wallSeconds: 0, memory: { declared: null, measured: 0, of: 'unit', limit: null } } });
      keys.push(key);
    }
    // In the moment in which gc looks at a blob in its hands, a lookup is a miss; afterwards everything must be there.
    let whole = 0;
    for (const key of keys) if ((await cache.lookup('load', key)) !== undefined) whole += 1;
    report({ whole });
  },
  /** Collects garbage again and again until the given time. */
  async collect() {
    const { collectGarbage } = await import('../dist/gc/index.js');
    let removed = 0;
    const none = new Set();
    while (Date.now() < Number(start)) removed += (await collectGarbage({ root, roots: { manifests: none, blobs: none, imports: none }, keepMs: 0, now: Date.now(), dryRun: false })).blobs.length;
    report({ removed });
  },
  /** Puts a blob that is larger than the limit on file sizes of this process. */
  async overflow() {
    process.on('SIGXFSZ', () => undefined);
    report(await attempt(() => store.putBytes(Buffer.alloc(4_000_000, 'x'))));
  },
  /** Dies with a scratch folder in use. */
  async killed() {
    await store.withScratch(async () => process.kill(process.pid, 'SIGKILL'));
  },
  /** Puts a blob as a user who may not write there. */
  async unprivileged() {
    if (process.getuid() === 0) process.setuid(65534);
    report(await attempt(() => store.putBytes(content(0))));
  },
};

async function attempt(action) {
  try {
    await action();
    return { code: 'nothing was thrown' };
  } catch (error) {
    return { code: error.code, message: error.message };
  }
}

await JOBS[job]();
