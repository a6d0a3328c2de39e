/** A temporary workspace with one model for a device over a checkpoint of the repository. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, succeed } from '../processes.mjs';

export const CHECKPOINT = join(ROOT, 'models/llama32/checkpoint');
export const LPBQ = { scheme: 'lpbq', bits: 4, blockSize: 32 };

const MODEL = 'models/phone';

/** @param sections of the recipe beside checkpoint, toolchain and chip */
export async function withDevice(sections, use, { checkpoint = CHECKPOINT, chipset = 'sm8750' } = {}) {
  const root = mkdtempSync(join(tmpdir(), 'tundish-device-'));
  try {
    mkdirSync(join(root, MODEL), { recursive: true });
    // JSON is YAML.
    const recipe = (changed) => writeFileSync(join(root, MODEL, 'recipe.yaml'), JSON.stringify({ checkpoint, toolchain: 'qairt', chipset, ...changed }));
    recipe(sections);
    return await use({
      root,
      recipe,
      container: join(root, MODEL, 'artifacts/container'),
      emulator: join(root, MODEL, 'artifacts/emulator'),
      tundish: (verb, ...args) => succeed('node', [join(ROOT, 'packages/cli/bin/tundish.js'), verb, ...args], { cwd: root }),
      build: async () => JSON.parse((await succeed('node', [join(ROOT, 'packages/cli/bin/tundish.js'), 'build', MODEL, '--json'], { cwd: root })).stdout),
      model: MODEL,
    });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
