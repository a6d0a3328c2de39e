/** `node machine-speed.mjs`: what this machine computes and reads at this moment, as one line of JSON. Best of a few runs each. */
import { loadKernels } from '@tundish/native';

const SIDE = 2048;
const REPEATS = 4;
const kernels = loadKernels({ allow: 'native' });
const a = new Float32Array(SIDE * SIDE).fill(1);
const large = new Float32Array(2 ** 26).fill(1);
const sgemm = (threads) => (2 * SIDE ** 3) / shortest(() => kernels.sgemm(a, a, SIDE, SIDE, SIDE, { threads })) / 1e9;
// A minimum over 256 MiB does so little with each number that memory sets its pace.
const read = large.byteLength / shortest(() => kernels.minMax(large, 2)) / 1e9;
console.log(JSON.stringify({ sgemm1: sgemm(1), sgemm2: sgemm(2), read }));

function shortest(work) {
  let seconds = Infinity;
  for (let i = 0; i < REPEATS; i++) {
    const started = performance.now();
    work();
    seconds = Math.min(seconds, (performance.now() - started) / 1000);
  }
  return seconds;
}
