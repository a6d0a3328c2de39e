/** Writes the graph of a plan as a deep learning container, through the vendor's IR library: for the vendor's own tools. */
import { existsSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { TundishError, messageOf, printable } from '@tundish/diagnostics';
import { withChild } from '../child/child.js';
import { ERRORS_ONLY } from '../child/protocol.js';
import type { WeightPaths } from '../compose/compose-into.js';
import type { QnnGraphPlan } from '../compose/plan.js';
import { releaseOf } from '../libraries/builds.js';
import { childOptionsOf } from '../libraries/describe.js';
import { qairtError } from '../libraries/errors.js';
import { type QairtLibraries, libraryPath } from '../libraries/find.js';
import { withPartialFolder } from '../libraries/partial-folder.js';
import { clearTimes } from './dlc-times.js';
import { exportError } from './errors.js';

/** Ends with SIGSEGV at LPBQ weights, and forgets that codes of a scale a channel have 4 bits. */
const BUILD_WITHOUT_4_BITS = '2.47';
const FORMS_OF_4_BITS: readonly (string | undefined)[] = ['blockwise', 'bitwidth', 'bitwidth_axis'];

/**
 * The file is there whole or not at all, and takes the place of one of its name. Equal plans and weights give equal bytes.
 *
 * @param target in a folder that exists @returns bytes of the file
 * @throws QAIRT_DLC_BUILD, QAIRT_FILE, QAIRT_DISK_FULL, QAIRT_DLC_DAMAGED and the other errors of `Child.call`
 */
export async function writeDlc(libraries: QairtLibraries, plan: QnnGraphPlan, paths: WeightPaths, target: string, signal?: AbortSignal): Promise<number> {
  const folder = dirname(target);
  if (!existsSync(folder)) throw qairtError('QAIRT_FILE', { what: `${printable(target)} cannot be written`, why: 'its folder is not there', evidence: { path: folder } });
  try {
    return await withPartialFolder(folder, async (partial) => {
      const path = join(partial, basename(target));
      await composeDlcFile(libraries, plan, paths, path, signal);
      await finish(path, target);
      renameSync(path, target);
      return statSync(target).size;
    });
  } catch (error) {
    if (error instanceof TundishError) throw error;
    throw qairtError('QAIRT_FILE', { what: `${printable(target)} cannot be written`, why: printable(messageOf(error)), evidence: { path: target }, cause: error });
  }
}

async function composeDlcFile(libraries: QairtLibraries, plan: QnnGraphPlan, paths: WeightPaths, path: string, signal: AbortSignal | undefined): Promise<void> {
  await withChild({ ...childOptionsOf(libraries), ...(signal === undefined ? {} : { signal }) }, async (child) => {
    const { buildId } = await child.call('openBackend', { library: libraryPath(libraries, 'ir'), logLevel: ERRORS_ONLY });
    if (releaseOf(buildId) === BUILD_WITHOUT_4_BITS) refuse4Bits(plan, buildId);
    const context = await child.call('createContext', { weightSharing: false });
    const graph = await child.call('composePlan', { context, plan, paths, options: { dlc: path } }, { subject: plan.name });
    await child.call('finalize', { graph }, { subject: plan.name });
  });
}

function refuse4Bits({ name, tensors }: QnnGraphPlan, buildId: string): void {
  const first = tensors.find(({ quantization }) => FORMS_OF_4_BITS.includes(quantization?.kind));
  if (first === undefined) return;
  throw exportError('QAIRT_DLC_BUILD', {
    what: `build ${buildId} cannot write ${printable(name)} as a deep learning container`,
    why: `it writes no weights of fewer than 8 bits, and ${printable(first.name)} has them`,
    fix: 'use build 2.49 or 2.51 (npx tundish toolchain install qairt --accept-licence), or weights of 8 bits with a scale a channel',
  });
}

/** A library that says nothing of a disk that is full leaves no file, or a part of one. */
async function finish(path: string, target: string): Promise<void> {
  if (!existsSync(path)) throw qairtError('QAIRT_FILE', { what: `the library wrote no ${printable(basename(target))}`, why: 'it reports nothing: mostly the disk is full', evidence: { path: target }, fix: 'make room and write it again' });
  try {
    await clearTimes(path);
  } catch (error) {
    throw qairtError('QAIRT_DLC_DAMAGED', { what: `the library wrote a part of ${printable(basename(target))} only`, why: `${printable(messageOf(error))}; mostly the disk is full`, evidence: { path: target }, fix: 'make room and write it again' });
  }
}
