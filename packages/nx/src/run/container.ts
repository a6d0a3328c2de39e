/** Where the finished container of a model is, and how large; put back, or built again, when it is not there. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerSummary } from '@tundish/cli/summary';
import { streamReporter } from '@tundish/cli/progress-reporter';
import { withRemote } from '@tundish/cli/remote-results';
import { cacheRootOf, currentRun, hubAccess, hubCacheOf, threadsOf } from '../environment.js';
import { remoteMarks } from './run-record.js';

export interface ContainerRequest {
  readonly workspaceRoot: string;
  readonly modelRoot: string;
  readonly signal: AbortSignal;
}

interface PackagedFile {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

/** An Nx hit restores the manifest of package only. The check costs one stat a file and one small digest. */
export async function ensureContainer(request: ContainerRequest): Promise<ContainerSummary> {
  const outputs = packagedFiles(request);
  const folder = `${request.modelRoot}/artifacts/container`;
  const restored = isCurrent(join(request.workspaceRoot, folder), outputs) ? {} : await restore(request);
  return { folder, bytes: outputs.reduce((sum, { size }) => sum + size, 0), files: outputs.length, ...restored };
}

/** manifest.json holds the digests of all other files, so its own digest tells one build from another. */
function isCurrent(folder: string, outputs: readonly PackagedFile[]): boolean {
  return outputs.every(({ name, size, sha256 }) => {
    if (statSync(join(folder, name), { throwIfNoEntry: false })?.size !== size) return false;
    return name !== 'manifest.json' || createHash('sha256').update(readFileSync(join(folder, name))).digest('hex') === sha256;
  });
}

async function restore({ workspaceRoot, modelRoot, signal }: ContainerRequest): Promise<Pick<ContainerSummary, 'rebuilt' | 'traffic'>> {
  const [{ Pipeline, restoreContainer }, { adapters }] = await Promise.all([import('@tundish/stages/pipeline'), import('@tundish/cli/toolchains')]);
  const cacheRoot = cacheRootOf(workspaceRoot);
  const reporter = streamReporter(process.stderr);
  const run = currentRun();
  const { remote } = await withRemote({ reporter, signal, ...(run === undefined ? {} : { marks: remoteMarks(workspaceRoot, run) }) });
  const pipeline = await Pipeline.open({
    workspaceRoot, modelRoot, cacheRoot, hubCache: hubCacheOf(), hub: hubAccess(), adapters, reporter, signal, threads: threadsOf(), inputsInPlace: true, ...(remote === undefined ? {} : { remote }),
  });
  await restoreContainer(pipeline).finally(() => pipeline.close()).finally(() => reporter.close());
  const steps = pipeline.rebuilt.length;
  const traffic = remote?.traffic;
  return {
    ...(steps === 0 ? {} : { rebuilt: { steps, bytesWritten: pipeline.store.bytesWritten - (traffic?.down ?? 0) } }),
    ...(traffic === undefined ? {} : { traffic }),
  };
}

function packagedFiles({ workspaceRoot, modelRoot }: ContainerRequest): readonly PackagedFile[] {
  const manifest = JSON.parse(readFileSync(join(workspaceRoot, modelRoot, 'out', 'package', 'stage.json'), 'utf8')) as { outputs: PackagedFile[] };
  return manifest.outputs;
}
