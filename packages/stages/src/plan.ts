/** The units of work of a model and what each reads. Light: the Nx plugin imports it on every command. */
import type { CustomStageLock, Lock, StageName } from '@tundish/recipe/lock';

/** One sentence per stage, for `nx show`, `nx graph` and the documentation. */
export const DESCRIPTIONS: Readonly<Record<StageName, string>> = {
  load: 'Reads config.json and the safetensors headers and writes the adapted graph; weights stay where they are.',
  optimize: 'Rewrites that leave the function unchanged: folds norm gains into projections and rotates weights, as expressions over the checkpoint bytes.',
  quantize: 'Quantizes one decoder block after the other and measures activations on the calibration text: codes, scales, encodings.',
  arcl: 'Makes one graph per AR x CL pair by substituting the base numbers; writes no weight bytes.',
  transform: 'Cuts one part out of the graph of a pair and gives every attention head operations of its own; writes no weight bytes.',
  convert: 'Lowers one graph to the form of the toolchain.',
  compile: 'Compiles all graphs of one part, which share its weights.',
  package: 'Packs the container: compiled parts, manifest, tokenizer, runtime configuration.',
};

/** One unit of work: a stage and the pair, cell or part it works on. */
export interface Unit {
  /** One of `DESCRIPTIONS`, or a custom stage of the lock. */
  readonly stage: string;
  /** Null for a stage of the whole model. */
  readonly subject: string | null;
}

/** What of a lock says which units there are. */
export type UnitPlan = Pick<Lock, 'cells' | 'parts' | 'custom'>;

/** What of a lock says which custom stages there are. */
type CustomStages = { readonly custom?: Lock['custom'] | undefined };

export function isBuiltIn(stage: string): stage is StageName {
  return Object.hasOwn(DESCRIPTIONS, stage);
}

/** The entry of a custom stage; undefined for any other name. */
export function customStageOf({ custom }: CustomStages, stage: string): CustomStageLock | undefined {
  return custom !== undefined && Object.hasOwn(custom, stage) ? custom[stage] : undefined;
}

/** Names of the custom stages behind a stage, in the order in which they run. */
export function customStagesAfter({ custom = {} }: CustomStages, stage: StageName): string[] {
  const names: string[] = [];
  const readerOf = (name: string): string | undefined => Object.keys(custom).find((reader) => custom[reader]?.reads === name);
  for (let name = readerOf(stage); name !== undefined; name = readerOf(name)) names.push(name);
  return names;
}

/** The stage that decides what a stage works on: itself, or the one behind which a custom stage stands. */
export function placeOf(lock: CustomStages, stage: string): StageName | undefined {
  return isBuiltIn(stage) ? stage : customStageOf(lock, stage)?.after;
}

/** The name under which readers ask for a result: that of the stage in whose place it stands. `prune/ar1-cl512` may be `arcl/ar1-cl512`. */
export function roleOf(lock: CustomStages, name: string): string {
  const [stage = '', ...subject] = name.split('/');
  return [placeOf(lock, stage) ?? stage, ...subject].join('/');
}

/** `load`, `arcl/ar1-cl512`, `convert/ar1-cl512-1of2`, `compile/part1of2`. */
export function unitName({ stage, subject }: Unit): string {
  return subject === null ? stage : `${stage}/${subject}`;
}

/** Name of the pair that a cell belongs to. */
export function pairOf(cell: { readonly ar: number; readonly cl: number }): string {
  return `ar${cell.ar}-cl${cell.cl}`;
}

/** Names of all pairs of a lock, AR ascending, then CL. */
export function pairsOf(lock: Pick<Lock, 'stages'>): string[] {
  const { ar, cl } = lock.stages.arcl.options;
  return ar.flatMap((tokens) => cl.map((length) => pairOf({ ar: tokens, cl: length })));
}

/** The units whose results a unit reads, directly; custom stages stand for those behind which they are. */
export function inputsOf(lock: UnitPlan, { stage, subject }: Unit): Unit[] {
  const resultOf = (name: StageName, of: string | null): Unit => ({ stage: customStagesAfter(lock, name).at(-1) ?? name, subject: of });
  const whole = (name: StageName): Unit => resultOf(name, null);
  const custom = customStageOf(lock, stage);
  if (custom !== undefined) return [{ stage: custom.reads, subject }];
  switch (stage) {
    case 'load':
      return [];
    case 'optimize':
      return [whole('load')];
    case 'quantize':
      return [whole('load'), whole('optimize')];
    case 'arcl':
      return [whole('load'), whole('quantize')];
    case 'transform': {
      const cell = subject === null ? undefined : lock.cells[subject];
      return cell === undefined ? [] : [resultOf('arcl', pairOf(cell))];
    }
    case 'convert':
      return [resultOf('transform', subject)];
    case 'compile':
      return (subject === null ? [] : (lock.parts[subject]?.cells ?? [])).map((cell) => ({ stage: 'convert', subject: cell }));
    case 'package':
      return [whole('load'), whole('quantize'), ...Object.keys(lock.parts).map((part): Unit => ({ stage: 'compile', subject: part }))];
    default:
      return [];
  }
}

/** What a stage works on, one unit each: null for the whole model. Empty for a stage that the lock does not have. */
export function subjectsOf(lock: Lock, stage: string): readonly (string | null)[] {
  switch (placeOf(lock, stage)) {
    case undefined:
      return [];
    case 'arcl':
      return pairsOf(lock);
    case 'transform':
    case 'convert':
      return Object.keys(lock.cells);
    case 'compile':
      return Object.keys(lock.parts);
    default:
      return [null];
  }
}

/** Every unit of a model, producers before consumers. */
export function unitsOf(lock: Lock): Unit[] {
  const stages = (Object.keys(DESCRIPTIONS) as StageName[]).flatMap((stage) => [stage, ...customStagesAfter(lock, stage)]);
  return stages.flatMap((stage) => subjectsOf(lock, stage).map((subject) => ({ stage, subject })));
}
