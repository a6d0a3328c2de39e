/** Bytes of a binary whose graphs share their weights, against one with the largest of the graphs alone. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { LPBQ, withDevice } from './workspace.mjs';

const QUANTIZE = { recipe: 'minmax', weights: LPBQ };

export function sizes(record) {
  return withDevice({ graphs: { ar: [1, 32], cl: [256, 512], parts: 1 }, quantize: QUANTIZE }, async (device) => {
    const bytesOf = async (ar, cl) => {
      device.recipe({ graphs: { ar, cl, parts: 1 }, quantize: QUANTIZE });
      await device.build();
      return statSync(join(device.container, 'part1_of_1.bin')).size;
    };
    const single = await bytesOf([32], [512]);
    record('one graph, AR 32 CL 512', single / 1e6, 'MB');
    record('2 graphs, AR 1 and 32', (await bytesOf([1, 32], [512])) / single, 'x', ['<=', 1.08]);
    record('4 graphs, 2 AR x 2 CL', (await bytesOf([1, 32], [256, 512])) / single, 'x', ['<=', 1.15]);
  });
}
