/** All stages by name. Each is loaded when it is asked for: a task of Nx runs one, and graphs take time to load. */
import type { StageName } from '@tundish/recipe/lock';
import type { Stage } from './stage.js';

const LOADERS: Readonly<Record<StageName, () => Promise<unknown>>> = {
  load: async () => (await import('./load/stage.js')).load,
  optimize: async () => (await import('./optimize/stage.js')).optimize,
  quantize: async () => (await import('./quantize/stage.js')).quantize,
  arcl: async () => (await import('./arcl/stage.js')).arcl,
  transform: async () => (await import('./transform/stage.js')).transform,
  convert: async () => (await import('./convert/stage.js')).convert,
  compile: async () => (await import('./compile/stage.js')).compile,
  package: async () => (await import('./package/stage.js')).packageStage,
};

/** A stage behind the interface that the pipeline uses; `unitOptions` gives the options that it declares. */
export async function stageOf(name: StageName): Promise<Stage<unknown>> {
  return (await LOADERS[name]()) as Stage<unknown>;
}
