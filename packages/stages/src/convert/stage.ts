/** convert: one graph in the form of the toolchain; weights stay byte ranges. */
import { type GraphIo, graphName } from '@tundish/toolchain';
import { stageError } from '../errors.js';
import { jsonFile, readGraph } from '../graph-files.js';
import { requireInput } from '../inputs.js';
import { producedFiles } from '../produced-files.js';
import { readEncodings } from '../read-encodings.js';
import { IO_FILE } from '../stage-files.js';
import type { Stage, StageRequest } from '../stage.js';
import type { CellOptions } from '../transform/stage.js';

export interface ConvertOptions extends CellOptions {
  readonly toolchainName: string;
  /** Of the host; absent: `exact`. */
  readonly numerics?: 'htp';
  /** Absent: `composed`. */
  readonly rotaryEmbedding?: 'operation';
  /** Of a device; absent: `codes`. */
  readonly precision?: 'fp16';
}

export const convert: Stage<ConvertOptions> = {
  name: 'convert',
  requires: (request) => void inputOf(request),
  run: async (context, request) => {
    const input = inputOf(request);
    const { cell, toolchainName, ...options } = request.options;
    const model = await readGraph(input);
    const encodings = await readEncodings(model, input);
    const result = await context.adapters.toolchain(toolchainName).convert(context, {
      cell,
      model,
      ...(encodings === undefined ? {} : { encodings }),
      options,
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
