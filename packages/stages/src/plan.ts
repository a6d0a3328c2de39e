/** The units of work of a model and what each reads. Light: the Nx plugin imports it on every command. */
import type { Lock, StageName } from '@tundish/recipe/lock';

/** One sentence per stage, for `nx show`, `nx graph` and the documentation. */
export const DESCRIPTIONS: Readonly<Record<StageName, string>> = {
  load: 'Reads config.json and the safetensors headers and writes the adapted graph; weights stay where they are.',
  optimize: 'Rewrites that leave the function unchanged: folds norm gains into projections, as expressions over the checkpoint bytes.',
  quantize: 'Quantizes one decoder block after the other and measures activations on the calibration text: codes, scales, encodings.',
  arcl: 'Makes one graph per AR x CL pair by substituting the base numbers; writes no weight bytes.',
  transform: 'Cuts one part out of the graph of a pair and gives every attention head operations of its own; writes no weight bytes.',
  convert: 'Lowers one graph to the form of the toolchain.',
  compile: 'Compiles all graphs of one part, which share its weights.',
  package: 'Packs the container: compiled parts, manifest, tokenizer, runtime configuration.',
};

/** One unit of work: a stage and the pair, cell or part it works on. */
export interface Unit {
  readonly stage: StageName;
  /** Null for a stage of the whole model. */
  readonly subject: string | null;
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

/** The units whose results a unit reads, directly. */
export function inputsOf(lock: Pick<Lock, 'cells' | 'parts'>, { stage, subject }: Unit): Unit[] {
  const whole = (name: StageName): Unit => ({ stage: name, subject: null });
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
      return cell === undefined ? [] : [{ stage: 'arcl', subject: pairOf(cell) }];
    }
    case 'convert':
      return [{ stage: 'transform', subject }];
    case 'compile':
      return (subject === null ? [] : (lock.parts[subject]?.cells ?? [])).map((cell) => ({ stage: 'convert', subject: cell }));
    case 'package':
      return [whole('load'), whole('quantize'), ...Object.keys(lock.parts).map((part): Unit => ({ stage: 'compile', subject: part }))];
  }
}

/** Every unit of a model, producers before consumers. */
export function unitsOf(lock: Lock): Unit[] {
  const of = (stage: StageName, subjects: readonly string[]): Unit[] => subjects.map((subject) => ({ stage, subject }));
  const cells = Object.keys(lock.cells);
  return [
    { stage: 'load', subject: null },
    { stage: 'optimize', subject: null },
    { stage: 'quantize', subject: null },
    ...of('arcl', pairsOf(lock)),
    ...of('transform', cells),
    ...of('convert', cells),
    ...of('compile', Object.keys(lock.parts)),
    { stage: 'package', subject: null },
  ];
}
