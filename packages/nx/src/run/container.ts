/** Where the finished container of a model is, and how large; rebuilt from the store when it is not there. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { MaterializeRequest } from '@tundish/stages/lock';

export interface ContainerSummary {
  /** Relative to the workspace. */
  readonly folder: string;
  readonly bytes: number;
  readonly files: number;
}

/**
 * An Nx hit restores the manifest of package only. The check costs one stat a file, so that a run in which all was cached
 * needs no more.
 */
export async function ensureContainer(request: MaterializeRequest): Promise<ContainerSummary> {
  const outputs = packagedFiles(request);
  const folder = `${request.modelRoot}/artifacts/container`;
  const complete = outputs.every(({ name, size }) => statSync(join(request.workspaceRoot, folder, name), { throwIfNoEntry: false })?.size === size);
  if (!complete) await (await import('@tundish/stages/lock')).materializeContainer(request);
  return { folder, bytes: outputs.reduce((sum, { size }) => sum + size, 0), files: outputs.length };
}

function packagedFiles({ workspaceRoot, modelRoot }: MaterializeRequest): readonly { readonly name: string; readonly size: number }[] {
  const manifest = JSON.parse(readFileSync(join(workspaceRoot, modelRoot, 'out', 'package', 'stage.json'), 'utf8')) as { outputs: { name: string; size: number }[] };
  return manifest.outputs;
}
