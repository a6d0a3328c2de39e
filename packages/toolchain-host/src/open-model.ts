/** Opens any model as it stands, in floating point. */
import { type Model, cloneModel, encodeModel, externalLocations, rewriteLocations } from '@tundish/graph';
import type { OpenModelRequest, OpenedModel } from '@tundish/toolchain';
import { checkedFeeds, checkedFetches } from './feeds.js';
import { gatherStoredRows } from './gather-stored-rows.js';
import { ioTable } from './lowering/io-table.js';
import { lowerModel } from './lowering/lower-graph.js';
import { expandRotations } from './lowering/rotation.js';
import { SessionThread } from './session-thread.js';
import { findWeightRoot } from './weight-root.js';

const NO_CELL = { ar: 0, cl: 0, part: 1, parts: 1 };
const SESSION = 'model';

/** What `hostReference().open` does. */
export async function openModel({ model: given, resolve, threads, parameters }: OpenModelRequest): Promise<OpenedModel> {
  const model = gatherStoredRows(parameters === undefined ? expandRotations(given) : lowerModel(given, { activations: new Map(), parameters }, given.graph.name, false).model);
  const { inputs, outputs } = ioTable({ model, boundary: new Map() }, NO_CELL);
  const root = await findWeightRoot(externalLocations(model), resolve);
  const thread = new SessionThread();
  try {
    await thread.open(SESSION, { model: located(model, root.locations), folder: root.folder, threads, use: { kind: 'reference' } });
  } catch (error) {
    await thread.close();
    throw error;
  }
  const names = outputs.map(({ name }) => name);
  return {
    run: async (feeds, asked) => thread.run(SESSION, checkedFeeds(model.graph.name, inputs, feeds), checkedFetches(model.graph.name, names, asked)),
    close: () => thread.close(),
  };
}

function located(model: Model, locations: ReadonlyMap<string, string>): Uint8Array {
  const copy = cloneModel(model);
  rewriteLocations(copy, locations);
  return encodeModel(copy);
}
