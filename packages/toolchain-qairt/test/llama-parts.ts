/** The parts of the trained mini-llama as the stages make them: graphs with encodings, weight files, and text to run them on. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCheckpoint, ropeFrequencies } from '@tundish/checkpoint';
import { ropeTable } from '@tundish/container';
import { type Encodings, type Model, decodeModel, externalLocations } from '@tundish/graph';
import { type Unit, readEncodings, unitsOf } from '@tundish/stages';
import { loadTokenizer } from '@tundish/tokenizer';
import { type CellId, graphName } from '@tundish/toolchain';
import type { ComposeOptions } from '@tundish/toolchain-qairt';
import { Workspace, repositoryPath } from '../../stages/test/workspace.js';

export const CHECKPOINT = repositoryPath('models/llama32/checkpoint');

export interface LlamaPart {
  readonly cell: CellId;
  readonly name: string;
  readonly model: Model;
  readonly encodings: Encodings;
  /** Weight files by logical name. */
  readonly paths: Readonly<Record<string, string>>;
  /** Of convert, for the device and for its simulation; absent: defaults. */
  readonly options?: ComposeOptions;
}

/** @param quantize keys of the recipe beside the calibration, which is short; `optimize` those of that stage */
export async function llamaParts(graphs: string, quantize: string, optimize = '', checkpoint = CHECKPOINT): Promise<LlamaPart[]> {
  const workspace = Workspace.make(`checkpoint: ./checkpoint
graphs: ${graphs}
quantize: { recipe: minmax, ${quantize}, calibration: { text: ./checkpoint/calibration.txt, windows: 8, windowLength: 128 } }
optimize: { ${optimize} }
transform: { mha2sha: true }
`, checkpoint);
  await workspace.build('transform');
  const pipeline = await workspace.open();
  return Promise.all(unitsOf(pipeline.lock).filter(({ stage }) => stage === 'transform').map(async (unit: Unit) => {
    const input = await pipeline.input(unit);
    const model = decodeModel(readFileSync(input.path('graph.onnx')));
    const cell = pipeline.lock.cells[unit.subject ?? ''] as CellId;
    const paths = Object.fromEntries(externalLocations(model).map((location) => [location, input.resolve(location)]));
    return { cell, name: graphName(cell), model, encodings: await readEncodings(model, input) as Encodings, paths };
  }));
}

/** The first tokens of the text for evaluation, behind BOS. */
export async function evaluationTokens(count: number): Promise<Int32Array> {
  const tokenizer = await loadTokenizer(CHECKPOINT);
  return Int32Array.from([...tokenizer.encode(readFileSync(join(CHECKPOINT, 'eval.txt'), 'utf8').slice(0, 8 * count))].slice(0, count));
}

/** cos and sin of positions [first, first + count), float64 [count, D/2]. */
export async function llamaRope(first: number, count: number): Promise<{ readonly cos: Float64Array; readonly sin: Float64Array }> {
  const { config } = await openCheckpoint(CHECKPOINT, { knownModelTypes: ['llama'] });
  return ropeTable(ropeFrequencies(config), Array.from({ length: count }, (_, i) => first + i));
}
