/** Writes a container and proves it: the compiler makes of it what it makes of the plan. */
import { rmSync } from 'node:fs';
import { printable } from '@tundish/diagnostics';
import type { QairtLibraries } from '../libraries/find.js';
import { type DlcRequest, compareDlc } from './compare-dlc.js';
import { exportError } from './errors.js';
import { writeDlc } from './write-dlc.js';

/**
 * @param target in a folder that exists @returns bytes of the file, which is removed when it computes something else
 * @throws QAIRT_DLC_DIFFERS, and what `writeDlc` and `compareDlc` throw
 */
export async function exportDlc(libraries: QairtLibraries, request: DlcRequest, target: string): Promise<number> {
  const { plan, paths, signal } = request;
  const bytes = await writeDlc(libraries, plan, paths, target, signal);
  try {
    const differing = (await compareDlc(libraries, target, request)).filter((output) => output.differing > 0);
    if (differing.length === 0) return bytes;
    throw exportError('QAIRT_DLC_DIFFERS', {
      what: `${printable(target)} computes something else than the graph that was written`,
      why: differing.slice(0, 3).map(({ name, codes, differing: count, mean, max }) => `${printable(name)} differs in ${count} of ${codes} codes, by ${mean.toPrecision(3)} on average and ${max} at most`).join('; '),
      evidence: { path: target },
      fix: 'use another build of the libraries: npx tundish toolchain list',
    });
  } catch (error) {
    rmSync(target, { force: true });
    throw error;
  }
}
