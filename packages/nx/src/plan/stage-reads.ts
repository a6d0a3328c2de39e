/** Which fields of recipe.lock.json a unit of work reads: they become the inputs of its Nx target. */
import { isBuiltIn } from '@tundish/stages/lock';
import type { StageName } from '@tundish/recipe/lock';

/** Fields by stage, apart from `stages.<stage>` that each stage reads. */
const ALSO_READ: Readonly<Partial<Record<StageName, readonly string[]>>> = {
  load: ['source'],
  // The tokenizer that turns the calibration text into ids (names of files hold dots, so `source` can only be read whole), and
  // the library in which the calibration runs.
  quantize: ['source', 'stages.convert.toolchain'],
  package: ['model', 'source', 'parts', 'generation', 'stages.arcl.options', 'stages.compile.toolchain'],
};

/**
 * Dotted paths in the lock.
 *
 * @param stage one of Tundish, or a custom one
 * @param subject the cell or part of a stage that works on one
 * @param cells of the part, for `compile`
 */
export function lockFieldsOf(stage: string, subject: string | null, cells: readonly string[]): string[] {
  const place = subject === null ? [] : stage === 'compile' ? [`parts.${subject}`, ...cells.map((cell) => `cells.${cell}`)] : [`cells.${subject}`];
  if (!isBuiltIn(stage)) return [...place, `custom.${stage}`];
  return [...place, ...(ALSO_READ[stage] ?? []), `stages.${stage}`];
}
