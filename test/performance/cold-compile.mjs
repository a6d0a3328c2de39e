/** A model's whole build through Nx with nothing cached, neither by Nx nor by the store. */
import { join } from 'node:path';
import { run, succeed } from './processes.mjs';

/** `scratch` is an empty folder on the disk of the repository; the caller removes it. */
export async function coldCompile(record, model, { scratch, bar }) {
  // Nx keeps which outputs are already in place in its workspace data: without a fresh one this run is a cached run.
  const env = { NX_CACHE_DIRECTORY: join(scratch, 'nx'), NX_WORKSPACE_DATA_DIRECTORY: join(scratch, 'data'), TUNDISH_CACHE_ROOT: join(scratch, 'store') };
  const kernels = await run('npx', ['nx', 'run', 'native:build'], { env });
  record('compiling the native kernels', kernels.seconds, 's');
  const { stdout, seconds } = await succeed('npx', ['nx', 'run', `${model}:compile`], { env });
  if (!/\b\d+ run, 0 cached\b/.test(stdout)) throw new Error(`this build was not cold:\n${stdout}`);
  record(`cold nx run ${model}:compile`, seconds, 's', bar);
}
