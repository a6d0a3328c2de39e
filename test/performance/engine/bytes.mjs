/** Bytes that go to disk for each byte of new content, as the operating system counts both: a first build, and builds after edits. */
import { contentBelow, newBytes } from '../disk.mjs';
import { BUNDLED, withWorkspace } from './workspace.mjs';

/** Few units, since the kernel counts blocks of the file system's own tables too: some 40 KB a unit, whatever the model. */
const RECIPE = { checkpoint: BUNDLED, graphs: { ar: [1], cl: [512], parts: 1 }, quantize: { recipe: 'minmax', calibration: { windows: 4, windowLength: 128 } } };
/** Each replaces sections of the recipe before it. */
const EDITS = {
  'first build': {},
  'another width of the embedding': { quantize: { ...RECIPE.quantize, embedding: { bits: 8 } } },
  'twice the calibration': { quantize: { recipe: 'minmax', calibration: { windows: 8, windowLength: 128 } } },
};

export function bytes(record) {
  return withWorkspace(RECIPE, async (workspace) => {
    for (const [what, sections] of Object.entries(EDITS)) {
      workspace.recipe({ ...RECIPE, ...sections });
      const before = contentBelow(workspace.root);
      const { written, lock, ran } = await workspace.build();
      const added = newBytes(contentBelow(workspace.root), before);
      record(`${what}: units run`, ran, 'units');
      record(`${what}: new content`, added / 1e6, 'MB');
      record(`${what}: bytes written per byte of new content`, (written + lock.written) / added, 'x', ['<=', 1.05]);
    }
  });
}

