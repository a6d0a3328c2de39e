/** Plans as files: what is read is what was written, equal plans are equal bytes, and what is no plan is refused. */
import { beforeAll, describe, expect, it } from 'vitest';
import { type QnnGraphPlan, composeGraph } from '../src/index.js';
import { decodePlan, encodePlan } from '../src/convert/plan-file.js';
import { llamaParts } from './llama-parts.js';

let plans: QnnGraphPlan[];
beforeAll(async () => {
  plans = (await llamaParts('{ ar: [32], cl: [128], parts: 2 }', 'weights: { scheme: lpbq, bits: 4, blockSize: 32 }')).map(({ model, encodings, name }) => composeGraph(model, encodings, name));
});

describe('a plan', () => {
  it('is read back as it was written, with arrays of their types', () => {
    for (const plan of plans) {
      const bytes = encodePlan(plan);
      const read = decodePlan(bytes, 'x.plan.json');
      expect(read).toEqual(plan);
      expect(Buffer.from(encodePlan(read)).equals(bytes)).toBe(true);
      const arrays = (of: QnnGraphPlan): string[] => of.tensors.flatMap(({ quantization }) => (quantization !== undefined && 'scales' in quantization ? [quantization.scales.constructor.name] : []));
      expect(arrays(read)).toEqual(arrays(plan));
      expect(arrays(read)).toContain('Float32Array');
    }
  });

  it('holds no code of a weight and no scale of a block: they stay where quantize wrote them', () => {
    const weights = plans.flatMap(({ tensors }) => tensors).filter(({ quantization }) => quantization?.kind === 'blockwise');
    expect(weights.length).toBeGreaterThan(20);
    for (const { data, quantization } of weights) {
      expect(data).toMatchObject({ projection: { kind: 'external' } });
      expect(quantization).toMatchObject({ blockScales: { kind: 'external' } });
    }
    // Channel scales of every projection are in it, a few kilobytes each.
    expect(Math.max(...plans.map((plan) => encodePlan(plan).length))).toBeLessThan(600_000);
  });

  it.each([['', 'no JSON'], ['null', 'null'], ['[]', 'a list'], ['{"schema":2,"plan":{}}', 'another version'], ['{"plan":{}}', 'no version']])('%s is refused', (text) => {
    expect(() => decodePlan(new TextEncoder().encode(text), 'a.plan.json')).toThrow(/QAIRT_PLAN: a\.plan\.json [^]*convert the graph again/);
  });
});
