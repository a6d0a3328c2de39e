/** What executes the graph of a stage while it is measured: the host, also for a model that is built for a device. */
import type { Lock } from '@tundish/recipe/lock';
import type { Toolchain } from '@tundish/toolchain';
import { toolchainNamed } from './toolchains.js';

export interface StageToolchain {
  readonly toolchain: Toolchain;
  readonly compileOptions: Readonly<Record<string, unknown>>;
}

export function stageToolchain({ stages }: Lock): StageToolchain {
  const { options, toolchain } = stages.compile;
  // One graph of a whole model is nothing that a device compiler takes.
  if ('chips' in options) return { toolchain: toolchainNamed('host'), compileOptions: {} };
  return { toolchain: toolchainNamed(toolchain.name), compileOptions: options };
}
