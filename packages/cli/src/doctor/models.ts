/** The models of the workspace: whether their locks fit what is installed. */
import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { messageOf, printable } from '@tundish/diagnostics';
import type { Lock } from '@tundish/recipe/lock';
import { parseLock } from '@tundish/recipe/parse-lock';
import { type FoundModel, findModels, modelLayout } from '@tundish/stages/workspace';
import { TOOLCHAINS, toolchainVersion } from '../toolchains.js';
import { type Finding, finding } from './finding.js';

/** One finding a model; none in a workspace without models. */
export async function modelFindings(workspaceRoot: string): Promise<Finding[]> {
  const versions = new Map<string, string | undefined>();
  // What is wrong with a toolchain has a finding of its own.
  for (const name of TOOLCHAINS) versions.set(name, await toolchainVersion(name).catch(() => undefined));
  return findModels(workspaceRoot).map((model) => modelFinding(workspaceRoot, model, versions));
}

function modelFinding(workspaceRoot: string, model: FoundModel, versions: ReadonlyMap<string, string | undefined>): Finding {
  const name = `model ${model.name}`;
  const layout = modelLayout(workspaceRoot, model.root);
  const again = `npx nx g @tundish/nx:lock ${model.name}`;
  if (!existsSync(layout.lock)) return finding(name, 'no recipe.lock.json yet', { status: 'warning', fix: again });
  let lock: Lock;
  try {
    lock = parseLock(readFileSync(layout.lock), layout.lock);
  } catch (error) {
    return finding(name, printable(messageOf(error).split('\n', 1)[0] ?? ''), { status: 'problem', fix: again });
  }
  const { toolchain } = lock.stages.compile;
  if (!TOOLCHAINS.includes(toolchain.name)) return finding(name, `wants toolchain ${printable(toolchain.name)}, which is not here`, { status: 'problem', fix: `known toolchains: ${TOOLCHAINS.join(', ')}` });
  const installed = versions.get(toolchain.name);
  if (installed === undefined) return finding(name, `wants ${printable(toolchain.version)}, which is not installed`, { status: 'warning', fix: toolchain.name === 'host' ? 'run npm ci' : `npx tundish toolchain install ${toolchain.name} --accept-licence` });
  if (installed !== toolchain.version) return finding(name, `is pinned to ${printable(toolchain.version)}; installed is ${installed}`, { status: 'problem', fix: `install the pinned version, or ${again}` });
  const place = checkpointPlace(lock, layout.root);
  if (place !== undefined && !existsSync(place)) return finding(name, 'its checkpoint is not here', { status: 'warning', fix: `put it at ${place}` });
  return finding(name, `${Object.keys(lock.cells).length} cells for ${toolchain.name} ${toolchain.version}`);
}

/** Undefined for the hub, whose checkpoints are downloaded. */
function checkpointPlace({ source }: Lock, root: string): string | undefined {
  if (source.kind === 'hub') return undefined;
  return isAbsolute(source.location) ? source.location : resolve(root, source.location);
}
