/** arcl: the graph of one AR x CL pair, by substituting the numbers of the base graph; weights are not touched. */
import type { Adaptation } from '@tundish/architectures';
import { convertArCl } from '@tundish/transform';
import { stageError } from '../errors.js';
import { ACTIVATIONS_FILE, externalsOf, graphFile, readGraph, readJson } from '../graph-files.js';
import { requireInput } from '../inputs.js';
import { ADAPTATION_FILE } from '../stage-files.js';
import type { Stage, StageFile } from '../stage.js';

/** One pair: tokens a pass, positions of attention. */
export interface ArclOptions {
  readonly ar: number;
  readonly cl: number;
}

export const arcl: Stage<ArclOptions> = {
  name: 'arcl',
  requires: ({ options: { ar, cl } }) => {
    if (ar < 1 || ar >= cl) throw stageError('STAGE_REQUIRES', { what: `AR ${ar} and CL ${cl}: a pass must leave room for the cache (1 <= AR < CL)` });
  },
  run: async (_context, request) => {
    const input = requireInput(request, 'quantize');
    const { base } = await readJson<Adaptation>(requireInput(request, 'load'), ADAPTATION_FILE);
    const model = convertArCl(await readGraph(input), base, request.options);
    // The encodings are those of the base graph, by the same names: handed on, not written again.
    const handedOn = input.manifest.outputs.filter(({ name }) => name === ACTIVATIONS_FILE).map((output): StageFile => ({ name: output.name, mediaType: output.mediaType, from: output }));
    return { files: [graphFile(model), ...handedOn], externals: externalsOf(model, input.manifest) };
  },
  ensures: ({ files }) => {
    if (files.some((file) => file.name.endsWith('.weights'))) throw stageError('STAGE_ENSURES', { what: 'arcl wrote weight bytes' });
  },
};
