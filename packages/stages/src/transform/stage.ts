/** transform: one part of a pair's graph, with operations of their own for every attention head; graphs only. */
import { documentOf, lintCarried } from '@tundish/quantize/encodings';
import { carryEncodings, mhaToSha, splitModel } from '@tundish/transform';
import type { CellId } from '@tundish/toolchain';
import { checkEncodings } from '../check-encodings.js';
import { stageError } from '../errors.js';
import { activationsFile, externalsOf, graphFile, jsonFile, readActivations, readGraph } from '../graph-files.js';
import { requireInput } from '../inputs.js';
import { pairOf } from '../plan.js';
import type { Stage, StageFile } from '../stage.js';

/** Coordinates of one cell. */
export interface CellOptions {
  readonly cell: CellId;
}

export interface TransformOptions extends CellOptions {
  /** Multi-head attention becomes single-head operations, as accelerators want them. */
  readonly mha2sha: boolean;
}

/** Which values each value of the source graph became: `{old: [new, …]}`, the form that the vendor's validator reads. */
export const RENAMES_FILE = 'mha_to_sha_map.json';

export const transform: Stage<TransformOptions> = {
  name: 'transform',
  requires: ({ options: { cell } }) => {
    if (cell.part < 1 || cell.part > cell.parts) throw stageError('STAGE_REQUIRES', { what: `part ${cell.part} of ${cell.parts} does not exist` });
  },
  run: async (context, request) => {
    const { cell, mha2sha } = request.options;
    const input = requireInput(request, `arcl/${pairOf(cell)}`);
    const part = splitModel(await readGraph(input), cell.part, cell.parts);
    const { model, renames } = mha2sha ? mhaToSha(part) : { model: part, renames: new Map<string, readonly string[]>() };
    const files: StageFile[] = [graphFile(model), jsonFile(RENAMES_FILE, Object.fromEntries([...renames].sort(([a], [b]) => (a < b ? -1 : 1))))];
    const encodings = await readActivations(input);
    if (encodings !== undefined) {
      const carried = carryEncodings({ activations: encodings, parameters: new Map() }, renames, model);
      if (carried.uncovered.length > 0) {
        throw stageError('STAGE_ENSURES', { what: `${carried.uncovered.length} activation(s) of the transformed graph have no encoding, the first is ${carried.uncovered[0]}`, why: 'they would run in floating point where the device has integers' });
      }
      checkEncodings(model.graph, carried.encodings, context.reporter, lintCarried(documentOf({ activations: encodings, parameters: new Map() }), documentOf(carried.encodings), renames));
      files.push(activationsFile(carried.encodings.activations));
    }
    return { files, externals: externalsOf(model, input.manifest) };
  },
  ensures: ({ files }) => {
    if (files.some((file) => file.name.endsWith('.weights'))) throw stageError('STAGE_ENSURES', { what: 'transform wrote weight bytes' });
  },
};
