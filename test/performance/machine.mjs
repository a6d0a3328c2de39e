/** Reports the machine's own speed beside the figures: other load on the host moves them by a multiple, and a reader must be able to tell. */
import { measured } from './processes.mjs';

export async function recordMachine(record, moment) {
  const { sgemm1, sgemm2, read } = await measured('machine-speed.mjs', []);
  record(`machine ${moment}: native sgemm of 2048, 1 thread`, sgemm1, 'GFLOP/s');
  record(`machine ${moment}: native sgemm of 2048, 2 threads`, sgemm2, 'GFLOP/s');
  record(`machine ${moment}: memory read, 2 threads`, read, 'GB/s');
}
