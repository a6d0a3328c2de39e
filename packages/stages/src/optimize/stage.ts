/** optimize: rewrites that leave the function unchanged and the weights where they are. */
import { foldNormGains } from '@tundish/transform';
import { stageError } from '../errors.js';
import { externalsOf, graphFile, readGraph } from '../graph-files.js';
import { requireInput } from '../inputs.js';
import { MEDIA, type Stage, type StageInput, type StageRequest } from '../stage.js';

export interface OptimizeOptions {
  /** Folds norm gains into the projections behind them, so that their scale is spread over the weights' own grids. */
  readonly foldNormGains: boolean;
}

export const optimize: Stage<OptimizeOptions> = {
  name: 'optimize',
  requires: (request) => void inputOf(request),
  run: async (_context, request) => {
    const input = inputOf(request);
    const source = await readGraph(input);
    const { model, folded, kept } = request.options.foldNormGains ? foldNormGains(source) : { model: source, folded: [], kept: [] };
    return { files: [graphFile(model)], externals: externalsOf(model, input.manifest), facts: { folded: folded.length, kept: [...kept] } };
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
