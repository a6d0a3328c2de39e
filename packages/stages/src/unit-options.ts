/** The options that each unit reads from the lock. */
import type { Lock } from '@tundish/recipe/lock';
import { stageError } from './errors.js';
import { containerFolder } from './layout.js';
import type { PackageOptions } from './package/stage.js';
import { type Unit, customStageOf, isBuiltIn, pairOf, subjectsOf, unitName } from './plan.js';

/**
 * What a unit reads of the lock: its stage's options and its own coordinates, nothing else.
 *
 * @throws STAGE_SUBJECT_UNKNOWN
 */
export function unitOptions(lock: Lock, unit: Unit): unknown {
  const { stages } = lock;
  const custom = customStageOf(lock, unit.stage);
  if (custom !== undefined) return subjectsOf(lock, unit.stage).includes(unit.subject) ? custom.options : unknownSubject(unit, subjectsOf(lock, unit.stage).map(String));
  switch (unit.stage) {
    case 'arcl':
      return pairNamed(lock, unit);
    case 'transform':
      return { cell: cellNamed(lock, unit), ...stages.transform.options };
    case 'convert':
      return { cell: cellNamed(lock, unit), toolchainName: stages.convert.toolchain.name, ...stages.convert.options };
    case 'compile': {
      const part = lock.parts[unit.subject ?? ''] ?? unknownSubject(unit, Object.keys(lock.parts));
      const cells = Object.fromEntries(part.cells.map((name) => [name, lock.cells[name]]));
      return { part: part.part, parts: part.parts, cells, toolchainName: stages.compile.toolchain.name, compile: partOptions(lock, part) };
    }
    case 'package':
      return { model: lock.model, parts: lock.parts, ar: stages.arcl.options.ar, cl: stages.arcl.options.cl, toolchain: stages.compile.toolchain, generation: lock.generation, containers: containersOf(lock), device: stages.package.options };
    default:
      return isBuiltIn(unit.stage) ? stages[unit.stage].options : unknownSubject(unit, [...Object.keys(stages), ...Object.keys(lock.custom ?? {})]);
  }
}

/** What one part is compiled with: of a device build its chip, and sharing where there is something to share. */
export function partOptions({ stages }: Pick<Lock, 'stages'>, { chip: name, cells }: Lock['parts'][string]): Readonly<Record<string, unknown>> {
  const { options } = stages.compile;
  if (!('chips' in options)) return options;
  const { chips, ...others } = options;
  const chosen = chips.find((chip) => chip.name === name);
  if (chosen === undefined) throw stageError('STAGE_SUBJECT_UNKNOWN', { what: `the lock file names no chip ${name ?? ''}`, fix: 'write the lock again: npx nx g @tundish/nx:lock' });
  return { ...others, chip: chosen.name, vtcmMb: chosen.vtcmMb, weightSharing: chosen.weightSharing && cells.length > 1 };
}

/** What the parts of each container were compiled with, by its folder, '' where there is one: a bundle says it again. */
function containersOf(lock: Lock): PackageOptions['containers'] {
  const { options } = lock.stages.compile;
  if (!('chips' in options)) return { '': {} };
  return Object.fromEntries(Object.values(lock.parts).filter(({ part }) => part === 1).map((part) => [containerFolder(part.chip, options.chips.length), partOptions(lock, part)]));
}

function pairNamed(lock: Lock, unit: Unit): { ar: number; cl: number } {
  const pairs = lock.stages.arcl.options.ar.flatMap((ar) => lock.stages.arcl.options.cl.map((cl) => ({ ar, cl })));
  return pairs.find((pair) => pairOf(pair) === unit.subject) ?? unknownSubject(unit, pairs.map(pairOf));
}

function cellNamed(lock: Lock, unit: Unit): Lock['cells'][string] {
  return lock.cells[unit.subject ?? ''] ?? unknownSubject(unit, Object.keys(lock.cells));
}

function unknownSubject(unit: Unit, known: readonly string[]): never {
  throw stageError('STAGE_SUBJECT_UNKNOWN', { what: `${unitName(unit)} is not in the lock file`, why: `it has: ${known.join(', ')}`, fix: 'write the lock again: npx nx g @tundish/nx:lock' });
}
