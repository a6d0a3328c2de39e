/** The container of a built model as it runs on this machine: that of the build, its twin for the emulator, or its simulation by the host. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MANIFEST_FILE, readContainerManifest } from '@tundish/container';
import type { Reporter } from '@tundish/diagnostics';
import type { Lock } from '@tundish/recipe/lock';
import { Pipeline, type PipelineRequest, restoreContainer } from '@tundish/stages/pipeline';
import { emulatorLock, placeContainer, simulationLock } from '@tundish/stages/lock';
import { cacheRootOf, hubAccess, hubCacheOf } from './environment.js';
import { cliError } from './errors.js';
import type { Place } from './places.js';
import { withRemote } from './remote-results.js';
import { adapters, toolchainVersion } from './toolchains.js';

export interface ModelFolder {
  readonly workspaceRoot: string;
  /** Relative to the workspace. */
  readonly modelRoot: string;
}

export interface ExecutableRequest extends ModelFolder {
  /** Absent: where the model is built for, as far as this machine can. */
  readonly on?: Place;
  /** Of several that the model is built for; absent: the first. */
  readonly chip?: string;
  readonly threads: number;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

export interface ExecutableContainer {
  readonly folder: string;
  readonly on: Place;
}

/** Has what is missing built. @throws STAGE_EXECUTION, and what a build throws */
export async function executableContainer(request: ExecutableRequest): Promise<ExecutableContainer> {
  const shared = await pipelineRequest(request);
  const pipeline = await Pipeline.open({ ...shared, observers: [] });
  const { lock, layout } = pipeline;
  const { on = defaultPlace(lock), chip } = request;
  if (on === 'host' && lock.stages.compile.toolchain.name === 'host') {
    const { folder } = await restoreContainer(pipeline).finally(() => pipeline.close());
    return { folder, on };
  }
  await pipeline.close();
  const variant = on === 'host' ? simulationLock(lock, (await toolchainVersion('host')) as string) : emulatorLock(lock, chip);
  // Genie runs what the emulator does.
  const folder = join(dirname(layout.container), on === 'host' ? 'simulation' : 'emulator', ...(chip === undefined ? [] : [chip.toLowerCase()]));
  return { folder: await builtVariant(shared, variant, folder), on };
}

/** The place that a model runs on where nobody says. */
function defaultPlace({ stages }: Lock): Place {
  return stages.compile.toolchain.name === 'host' ? 'host' : 'emulator';
}

async function pipelineRequest({ workspaceRoot, modelRoot, reporter, signal, threads }: ExecutableRequest): Promise<PipelineRequest> {
  return { workspaceRoot, modelRoot, reporter, signal, threads, adapters, cacheRoot: cacheRootOf(workspaceRoot), hubCache: hubCacheOf(), hub: hubAccess(), ...(await withRemote({ reporter, signal })) };
}

async function builtVariant(request: PipelineRequest, lock: Lock, folder: string): Promise<string> {
  const pipeline = Pipeline.ofVariant(request, lock);
  try {
    const { manifest } = await pipeline.input({ stage: 'package', subject: null });
    return (await placeContainer(manifest, pipeline.store, folder)).folder;
  } finally {
    await pipeline.close();
  }
}

/** What a verb is asked to run: a container as it is, or a model where it can run. */
export interface RunnableOptions {
  /** Container folder. */
  readonly container: string;
  /** The model that the container is of, when it is known. */
  readonly model?: ModelFolder;
  readonly on?: Place;
  readonly chip?: string;
  readonly threads: number;
  readonly signal: AbortSignal;
}

/** A container for the host runs as it is; of a model for a device that which can run here is built. @throws CLI_USAGE for a place without a model */
export async function runnableContainer({ container, model, ...options }: RunnableOptions, reporter: Reporter): Promise<ExecutableContainer> {
  const { on, chip } = options;
  if (model === undefined) {
    if (on === undefined && chip === undefined) return { folder: container, on: 'host' };
    throw cliError('CLI_USAGE', { what: `--${on === undefined ? 'chip' : 'on'} needs a model, not a container`, why: 'what runs there is built from the model', fix: 'give the folder of the model: --model models/llama32-htp' });
  }
  if (on === undefined && chip === undefined && (await isForHost(container))) return { folder: container, on: 'host' };
  return executableContainer({ ...options, ...model, reporter });
}

/** Of several chips there is a container each, and none in the folder itself. */
async function isForHost(container: string): Promise<boolean> {
  const path = join(container, MANIFEST_FILE);
  return existsSync(path) && (await readContainerManifest(path)).toolchain.name === 'host';
}
