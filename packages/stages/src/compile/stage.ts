/** compile: all graphs of one part become what the target executes, over one copy of their weights. */
import { type CellId, type GraphIo, graphName } from '@tundish/toolchain';
import { stageError } from '../errors.js';
import { jsonFile, readJson } from '../graph-files.js';
import { producedFiles } from '../produced-files.js';
import { GRAPHS_FILE, IO_FILE } from '../stage-files.js';
import type { Stage, StageInput } from '../stage.js';

export interface CompileOptions {
  readonly part: number;
  readonly parts: number;
  /** The part's cells by name, AR ascending, then CL. */
  readonly cells: Readonly<Record<string, CellId>>;
  readonly toolchainName: string;
  /** The compile section of the recipe. */
  readonly compile: Readonly<Record<string, unknown>>;
}

export const compile: Stage<CompileOptions> = {
  name: 'compile',
  requires: ({ options, inputs }) => {
    for (const name of Object.keys(options.cells)) {
      if (!inputs.has(`convert/${name}`)) throw stageError('STAGE_INPUT_MISSING', { what: `convert/${name} has not run`, fix: `run it first: npx nx run MODEL/${name}:convert` });
    }
  },
  run: async (context, request) => {
    const { options, inputs, source } = request;
    const converted = Object.keys(options.cells).map((name) => inputs.get(`convert/${name}`) as StageInput);
    // A floating-point build compiles the checkpoint's own bytes: they must be found, and be those of the lock.
    if (converted.some(({ manifest }) => manifest.externals.some(({ location, sha256 }) => source.get(location)?.sha256 === sha256))) await context.checkpoint();
    const graphs = await Promise.all(converted.map(async (input) => ({
      io: await readJson<GraphIo>(input, IO_FILE),
      files: new Map(input.manifest.outputs.filter(({ name }) => name !== IO_FILE).map(({ name }) => [name, input.path(name)])),
    })));
    const result = await context.adapters.toolchain(options.toolchainName).compile(context, {
      part: options.part,
      parts: options.parts,
      graphs,
      resolve: (location) => resolveIn(converted, location),
      options: options.compile,
    });
    return { files: [...producedFiles(result.files, converted.flatMap(({ manifest }) => manifest.externals)), jsonFile(GRAPHS_FILE, result.graphs)], facts: { graphs: result.graphs.map(({ name }) => name), machine: request.toolchain?.machine ?? '', operators: request.toolchain?.operators ?? '' } };
  },
  ensures: ({ facts }, { options }) => {
    const made = JSON.stringify(facts?.['graphs']);
    const asked = JSON.stringify(Object.values(options.cells).map(graphName));
    if (made !== asked) throw stageError('STAGE_ENSURES', { what: `the compiled part holds the graphs ${made}, not ${asked}` });
  },
};

/** Weight files are named alike in all cells: they come from one quantized model. */
function resolveIn(inputs: readonly StageInput[], location: string): string {
  const owner = inputs.find(({ manifest }) => manifest.externals.some((external) => external.location === location));
  if (owner === undefined) throw stageError('STAGE_OUTPUT_UNKNOWN', { what: `no converted graph refers to a file ${location}` });
  return owner.resolve(location);
}
