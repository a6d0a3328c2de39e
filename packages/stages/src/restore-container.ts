/** The container of a packaged model, also when the store has lost files of it: they are made again. */
import { type MaterializedContainer, materializeContainer } from './materialize.js';
import type { Pipeline } from './pipeline.js';

/**
 * Nx may have restored the manifest of `package` alone: from its own cache, in another clone, on another machine. Whatever
 * is missing is built here and must have the digests of that manifest.
 *
 * @throws STAGE_REBUILD_DIFFERS when it has not
 */
export async function restoreContainer(pipeline: Pipeline): Promise<MaterializedContainer> {
  await pipeline.input({ stage: 'package', subject: null });
  return materializeContainer(pipeline.location);
}
