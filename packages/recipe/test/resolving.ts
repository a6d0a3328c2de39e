/** Recipes in a line or two, and their locks over a small model. */
import { sha256 } from '@tundish/store';
import type { Lock } from '../src/lock.js';
import { parseRecipe } from '../src/parse-recipe.js';
import type { RecipeFile } from '../src/recipe-file.js';
import { resolveRecipe } from '../src/resolve.js';
import type { ResolveRequest } from '../src/resolve.js';

export const parse = (text: string): RecipeFile => parseRecipe(new TextEncoder().encode(text), 'recipe.yaml');
export const pin = (name: string): { sha256: string; size: number } => ({ sha256: sha256(name), size: name.length });

export function resolve(text: string, changes: Partial<ResolveRequest> = {}): Lock {
  return resolveRecipe({
    file: parse(`checkpoint: ./checkpoint\n${text}`),
    model: 'llama32',
    source: { kind: 'folder', location: './checkpoint', files: { 'config.json': pin('config'), 'model.safetensors': pin('weights') } },
    calibration: pin('calibration'),
    maxPositionEmbeddings: 2048,
    layers: 4,
    toolchainVersion: 'onnxruntime 1.30.0',
    ...changes,
  });
}
