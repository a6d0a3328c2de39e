/** Opens any model as it stands, in floating point: the reference of parity checks and the engine of calibration. */
import { type Model, cloneModel, encodeModel, externalLocations, rewriteLocations } from '@tundish/graph';
import type { ReferenceExecutor } from '@tundish/toolchain';
import { checkedFeeds, checkedFetches } from './feeds.js';
import { hostIdentity } from './identity.js';
import { ioTable } from './lowering/io-table.js';
import { SessionThread } from './session-thread.js';
import { findWeightRoot } from './weight-root.js';

const NO_CELL = { ar: 0, cl: 0, part: 1, parts: 1 };
const SESSION = 'model';

/**
 * Weights in float32 are mapped; bfloat16, float16 and dequantized ones are widened once, when the model is opened.
 * Optimizers that change results are off.
 *
 * `open` throws HOST_FILE_MISSING, HOST_GRAPH_TYPE (an input or output without static shape or of another type than
 * float32, uint8, uint16, int32) and HOST_SESSION_FAILED; `run` throws HOST_INPUT, HOST_OUTPUT and HOST_RUN_FAILED.
 */
export function hostReference(): ReferenceExecutor {
  return {
    identity: hostIdentity,
    open: async ({ model, resolve, threads }) => {
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
    },
  };
}

function located(model: Model, locations: ReadonlyMap<string, string>): Uint8Array {
  const copy = cloneModel(model);
  rewriteLocations(copy, locations);
  return encodeModel(copy);
}
