/** Raises layers by data: a walk over the blocks measures them, and those that are chosen get schemes of their own. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { QuantizeRequest } from '../quantize-request.js';
import { type MeasuredLayer, type MixedPrecision, RAISED, type RaisedLayer, chooseLayers } from './choose-layers.js';

export interface RaisedRequest {
  readonly request: QuantizeRequest;
  readonly raised: readonly RaisedLayer[];
}

/**
 * The request with the schemes of the raised layers. Blocks before the first of them are the same in the walk that follows,
 * and a cache has them.
 *
 * @param measure solves all decoder blocks as the request says
 */
export async function raiseLayers(request: QuantizeRequest, mixedPrecision: MixedPrecision, measure: (request: QuantizeRequest) => Promise<readonly MeasuredLayer[]>): Promise<RaisedRequest> {
  const { weights, reporter } = request;
  const folder = join(request.folder, 'measured');
  await mkdir(folder);
  try {
    // What there is to warn of is said again when the layers are solved for good.
    const quiet = { info: (message: string) => reporter.info(message), warn: () => undefined, progress: reporter.progress.bind(reporter) };
    const raised = chooseLayers(await measure({ ...request, folder, reporter: quiet }), weights.schemes, mixedPrecision);
    const overrides = { ...weights.schemes.overrides, ...Object.fromEntries(raised.map(({ name }) => [name, RAISED])) };
    return { request: { ...request, weights: { ...weights, schemes: { ...weights.schemes, overrides } } }, raised };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
