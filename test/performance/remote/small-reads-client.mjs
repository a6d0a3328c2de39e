/** `node small-reads-client.mjs URL SECONDS BYTES DIGEST...`: prints how many blobs a second it read, with as little work as possible for each. */
import { connect } from 'node:net';

const CONNECTIONS = 16;
const [url, seconds, bytes, ...digests] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const requests = digests.map((digest) => Buffer.from(`GET /cas/${digest} HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`));
const stop = performance.now() + Number(seconds) * 1000;
let reads = 0;

async function readOn(first) {
  const socket = connect(Number(port), hostname);
  let next = first;
  let left = -1;
  await new Promise((resolve, reject) => {
    const send = () => socket.write(requests[next++ % requests.length]);
    socket.on('connect', send).on('error', reject).on('close', () => reject(new Error('the server closed the connection')));
    socket.on('data', (chunk) => {
      if (left < 0) {
        const end = chunk.indexOf('\r\n\r\n');
        if (end < 0 || !chunk.subarray(0, 12).equals(OK)) return reject(new Error(chunk.toString().slice(0, 200)));
        left = Number(bytes) - (chunk.length - end - 4);
      } else left -= chunk.length;
      if (left > 0) return;
      left = -1;
      reads += 1;
      if (performance.now() < stop) send();
      else resolve();
    });
  });
  socket.removeAllListeners('close').destroy();
}

const OK = Buffer.from('HTTP/1.1 200');
const started = performance.now();
await Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => readOn(i * 31)));
console.log(reads / ((performance.now() - started) / 1000));
