/** optimize: rewrites that leave the function unchanged and the weights where they are. */
import { type Rotations, foldNormGains, rotate } from '@tundish/transform';
import { stageError } from '../errors.js';
import { externalsOf, graphFile, readGraph } from '../graph-files.js';
import { requireInput } from '../inputs.js';
import { MEDIA, type Stage, type StageInput, type StageRequest } from '../stage.js';

export interface OptimizeOptions {
  /** Folds norm gains into the projections behind them, so that their scale is spread over the weights' own grids. */
  readonly foldNormGains: boolean;
  /** Absent when nothing is rotated. R1 needs folded gains. */
  readonly rotate?: Rotations | undefined;
}

export const optimize: Stage<OptimizeOptions> = {
  name: 'optimize',
  requires: (request) => void inputOf(request),
  run: async (_context, request) => {
    const input = inputOf(request);
    const { options } = request;
    const source = await readGraph(input);
    const { model: base, folded, kept } = options.foldNormGains ? foldNormGains(source) : { model: source, folded: [], kept: [] };
    const { model, ...rotated } = options.rotate === undefined ? { model: base } : rotate(base, options.rotate);
    const facts = { folded: folded.length, kept: [...kept], ...(options.rotate === undefined ? {} : { rotated }) };
    return { files: [graphFile(model)], externals: externalsOf(model, input.manifest), facts };
  },
  ensures: ({ externals }, request) => {
    // A stage of the recipe's own may stand in the place of load, and have made weights.
    const { outputs, externals: named } = inputOf(request).manifest;
    const before = named.length + outputs.filter(({ mediaType }) => mediaType === MEDIA.weights).length;
    if ((externals ?? []).length !== before) throw stageError('STAGE_ENSURES', { what: `optimize refers to ${externals?.length ?? 0} weight files, load to ${before}` });
  },
};

function inputOf(request: StageRequest<unknown>): StageInput {
  return requireInput(request, 'load');
}
