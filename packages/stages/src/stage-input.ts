/** The result of a unit with the files that its manifest names: in the store, or in the checkpoint. */
import type { StageManifest, Store } from '@tundish/store';
import { stageError } from './errors.js';
import type { Source } from './source.js';
import type { StageInput } from './stage.js';

/** Paths are looked up when they are asked for. @param source has been located when the manifest refers to its files */
export function stageInput(manifest: StageManifest, source: Source, store: Store): StageInput {
  const output = (name: string): StageManifest['outputs'][number] | undefined => manifest.outputs.find((file) => file.name === name);
  return {
    manifest,
    path: (name) => {
      const file = output(name);
      if (file === undefined) throw stageError('STAGE_OUTPUT_UNKNOWN', { what: `${manifest.stage} made no ${name}` });
      return store.pathOf(file);
    },
    resolve: (location) => {
      const file = output(location) ?? manifest.externals.find((external) => external.location === location);
      if (file === undefined) throw stageError('STAGE_OUTPUT_UNKNOWN', { what: `${manifest.stage} refers to no file ${location}` });
      return source.pathOf(location, file) ?? store.pathOf(file);
    },
  };
}
