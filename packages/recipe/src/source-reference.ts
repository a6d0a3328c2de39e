/** What `checkpoint:` and the text options of a recipe refer to. */
import type { TextFormat } from './known-values.js';
import type { QuantizeRecipe, Recipe } from './schema.js';
import { needsInputs, resolveTechnique } from './technique.js';

/** A checkpoint folder or a GGUF file as written in the recipe, or a repository of the hub at a branch, tag or commit. */
export type CheckpointReference =
  | { readonly kind: 'folder'; readonly location: string }
  | { readonly kind: 'gguf'; readonly location: string }
  | { readonly kind: 'hub'; readonly location: string; readonly revision: string | undefined };

/** @returns undefined when the text is neither a path (`./`, `../`, `/`; a file when it ends in .gguf) nor a hub id (`org/name`, `org/name@revision`) */
export function parseCheckpointReference(checkpoint: string): CheckpointReference | undefined {
  if (/^(\.\.?)?(\/|$)/.test(checkpoint)) return { kind: checkpoint.endsWith('.gguf') ? 'gguf' : 'folder', location: checkpoint };
  const hub = /^([\w-][\w.-]*\/[\w-][\w.-]*)(?:@([\w][\w./-]*))?$/.exec(checkpoint);
  if (hub?.[1] === undefined) return undefined;
  return { kind: 'hub', location: hub[1], revision: hub[2] };
}

/** Path of the calibration text, relative to the recipe; undefined when nothing reads it, or when nothing says where it is. */
export function calibrationText(recipe: Recipe): string | undefined {
  if (recipe.quantize === 'none' || !readsCalibration(recipe.quantize)) return undefined;
  const { calibration, source } = recipe.quantize;
  return source === undefined ? (calibration.text ?? besideWeights(recipe, 'calibration.txt')) : calibration.text;
}

/** Whether a build with these options reads calibration text: for the ranges of activations, or for a technique. Scales made elsewhere need one only where it is named. */
export function readsCalibration(quantize: QuantizeRecipe): boolean {
  if (quantize.source !== undefined) return quantize.activations !== 'none' && quantize.calibration.text !== undefined;
  return quantize.activations !== 'none' || needsInputs(resolveTechnique(quantize));
}

/** Path of the evaluation text, relative to the recipe; undefined when nothing says where it is. */
export function evaluationText(recipe: Recipe): string | undefined {
  return recipe.evaluate.text ?? besideWeights(recipe, 'eval.txt');
}

/** What a text file holds: as the recipe says, else by its name. */
export function textFormat(path: string, given: TextFormat | undefined): TextFormat {
  if (given !== undefined) return given;
  const name = path.toLowerCase();
  if (name.endsWith('.chat.jsonl')) return 'chat';
  if (name.endsWith('.safetensors')) return 'tokens';
  return name.endsWith('.jsonl') ? 'jsonl' : 'text';
}

function besideWeights(recipe: Recipe, name: string): string | undefined {
  const reference = parseCheckpointReference(recipe.checkpoint);
  if (reference === undefined || reference.kind === 'hub') return undefined;
  const folder = reference.kind === 'gguf' ? reference.location.replace(/[^/]*$/, '') : reference.location;
  return `${folder.replace(/\/+$/, '')}/${name}`;
}
