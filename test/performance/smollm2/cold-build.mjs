/** From the GGUF file to the container, import included, with nothing cached. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { coldCompile } from '../cold-compile.mjs';
import { ROOT } from '../processes.mjs';
import { requireGguf } from './model.mjs';

export async function coldBuild(record) {
  requireGguf();
  const scratch = join(ROOT, 'test-output/cold-smollm2');
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  try {
    await coldCompile(record, 'smollm2', { scratch, bar: ['<=', 90] });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
