/** A temporary workspace with one model over a random checkpoint, whose stages run in processes of their own. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requireSpace } from '../disk.mjs';
import { ROOT, measured, succeed } from '../processes.mjs';

const FOLDER = join(ROOT, 'test-output/shapes');
const CHECKPOINTS = join(FOLDER, 'checkpoints');
const MODEL = 'models/shape';

/** What a checkpoint takes on disk. */
const CHECKPOINT_BYTES = { 'llama-3.2-1b': 2.5e9, 'llama-3.2-3b': 6.5e9, 'llama-3.1-8b': 16.1e9 };

/**
 * Calls `use` with the workspace of a shape, or of its first `layers`, and removes it afterwards; the checkpoint stays, since
 * writing it takes longer than most figures. Refuses when the disk has no room for the checkpoint and `workBytes`.
 */
export async function withShape(shape, workBytes, use, layers) {
  return withCheckpoint(await checkpointOf(shape, workBytes, layers), use);
}

/** The same with a checkpoint that is there. */
export async function withCheckpoint(checkpoint, use) {
  const root = join(FOLDER, 'work');
  // An interrupted run may have left gigabytes.
  rmSync(root, { recursive: true, force: true });
  try {
    return await use(workspaceAt(root, checkpoint));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Absolute folder of the checkpoint of a shape, written when it is not there. Refuses when the disk has no room for it and `workBytes`. */
export async function checkpointOf(shape, workBytes, layers) {
  mkdirSync(CHECKPOINTS, { recursive: true });
  const checkpoint = join(CHECKPOINTS, layers === undefined ? shape : `${shape}-${layers}`);
  const missing = !existsSync(checkpoint);
  requireSpace(FOLDER, workBytes + (missing ? CHECKPOINT_BYTES[shape] : 0), `${shape}${missing ? ' with its checkpoint' : ''}`);
  if (missing) await makeCheckpoint(shape, checkpoint, layers);
  return checkpoint;
}

/** Under another name until it is whole. */
async function makeCheckpoint(shape, folder, layers) {
  const partial = `${folder}.part`;
  rmSync(partial, { recursive: true, force: true });
  await succeed('node', [join(ROOT, 'tools/random-checkpoint.mjs'), shape, partial, ...(layers === undefined ? [] : ['--layers', `${layers}`])]);
  renameSync(partial, folder);
}

function workspaceAt(root, checkpoint) {
  const model = join(root, MODEL);
  return {
    root,
    model,
    cache: join(root, '.tundish/cache'),
    out: join(model, 'out'),
    container: join(model, 'artifacts/container'),
    file: (name) => join(root, name),
    /** Sections of recipe.yaml beside the checkpoint; results of stages whose options stay the same stay valid. */
    async recipe(sections) {
      mkdirSync(model, { recursive: true });
      // JSON is YAML.
      writeFileSync(join(model, 'recipe.yaml'), JSON.stringify({ checkpoint, toolchain: 'host', ...sections }));
      await succeed('node', [join(ROOT, 'test/performance/shapes/run-stages.mjs'), root, MODEL]);
    },
    /** Runs every unit of the stages; one that was found in the store would be no measurement. */
    async run(...stages) {
      const step = await measured('shapes/run-stages.mjs', [root, MODEL, ...stages]);
      if (step.ran !== step.units) throw new Error(`${stages.join(' and ')}: ${step.ran} of ${step.units} units ran, the others were in the store`);
      return step;
    },
  };
}
