/** Compiles the loopback library into a new folder, under the names of the vendor's. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Loopback {
  readonly coreMinor?: number;
  readonly buildId?: string;
}

/** @returns folder with libQnnHtp.so, libHtpPrepare.so and libQnnSystem.so; the test removes it */
export function buildLoopback({ coreMinor = 40, buildId = 'v2.51.0.1' }: Loopback = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'tundish-loopback-'));
  const library = join(folder, 'libQnnHtp.so');
  const { status, stderr } = spawnSync('c++', [
    '-std=c++20', '-shared', '-fPIC', '-Wno-reorder', `-DCORE_MINOR=${coreMinor}`, `-DBUILD_ID="${buildId}"`, '-I', fileURLToPath(new URL('../../../../native/qnn', import.meta.url)),
    fileURLToPath(new URL('loopback.cpp', import.meta.url)), '-o', library, '-lpthread',
  ], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  for (const name of ['libHtpPrepare.so', 'libQnnSystem.so']) copyFileSync(library, join(folder, name));
  return folder;
}
