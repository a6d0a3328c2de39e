/** convert: one graph in the form of the toolchain; weights stay byte ranges. */
import type { StageManifest } from '@tundish/store';
import { type GraphIo, type ProducedFile, graphName } from '@tundish/toolchain';
import { stageError } from '../errors.js';
import { jsonFile, readGraph } from '../graph-files.js';
import { requireInput } from '../inputs.js';
import { readEncodings } from '../read-encodings.js';
import { MEDIA, type Stage, type StageFile, type StageRequest } from '../stage.js';
import type { CellOptions } from '../transform/stage.js';

export const IO_FILE = 'io.json';

/**
 * Files that a toolchain returned, as files of the stage.
 *
 * @param externals weight files that the stage's inputs refer to: those that the toolchain hands on stay the blobs that they are
 */
export function producedFiles(files: readonly ProducedFile[], externals: StageManifest['externals']): StageFile[] {
  return files.map(({ name, content }) => {
    const mediaType = name.endsWith('.onnx') ? MEDIA.onnx : MEDIA.weights;
    if (!('location' in content)) return { name, mediaType, ...content };
    const from = externals.find(({ location }) => location === content.location);
    if (from === undefined) throw stageError('STAGE_OUTPUT_UNKNOWN', { what: `no converted graph refers to a file ${content.location}` });
    return { name, mediaType, from: { sha256: from.sha256, size: from.size } };
  });
}

export const convert: Stage<CellOptions & { readonly toolchainName: string }> = {
  name: 'convert',
  requires: (request) => void inputOf(request),
  run: async (context, request) => {
    const input = inputOf(request);
    const { cell, toolchainName } = request.options;
    const model = await readGraph(input);
    const encodings = await readEncodings(model, input);
    const result = await context.adapters.toolchain(toolchainName).convert(context, {
      cell,
      model,
      ...(encodings === undefined ? {} : { encodings }),
      options: {},
    });
    return { files: [...producedFiles(result.files, input.manifest.externals), jsonFile(IO_FILE, result.io)], externals: input.manifest.externals };
  },
  ensures: ({ files }, { options }) => {
    const io = files.find((file) => file.name === IO_FILE);
    const described = io !== undefined && 'bytes' in io ? (JSON.parse(new TextDecoder().decode(io.bytes)) as GraphIo) : undefined;
    if (described?.name !== graphName(options.cell)) throw stageError('STAGE_ENSURES', { what: `convert described the graph ${described?.name ?? '(none)'}, not ${graphName(options.cell)}` });
  },
};

function inputOf(request: StageRequest<unknown>): ReturnType<typeof requireInput> {
  return requireInput(request, `transform/${request.subject}`);
}
