/** What a compiled binary is held against: every way in which it can be another than the one that was asked for. */
import { chipByName } from '@tundish/recipe';
import { describe, expect, it } from 'vitest';
import type { ContextBinary, QnnGraphPlan } from '../src/index.js';
import { assertBinary } from '../src/compile/assert-binary.js';
import type { PartOptions } from '../src/compile/options.js';
import { ELEMENT_CODES, TENSOR_KINDS } from '../src/index.js';

const quantization = { kind: 'scale_offset', scale: 0.5, offset: -128 } as const;
const tensor = (name: string, kind: number): QnnGraphPlan['inputs'][number] => ({ name, kind, element: ELEMENT_CODES.UFIXED_POINT_16, dims: [1, 4], quantization });
const plan = (name: string): QnnGraphPlan => ({ name, inputs: [tensor('x', TENSOR_KINDS.input)], outputs: [tensor('y', TENSOR_KINDS.output)], tensors: [], operations: [] });
const PLANS = [plan('ar1_cl8_1_of_1'), plan('ar4_cl32_1_of_1')];
const OPTIONS: PartOptions = { chip: chipByName('sm8750'), weightSharing: true, graph: { optimization: 3, vtcmMegabytes: 8 } };

type Graph = ContextBinary['graphs'][number];

const row = (name: string): Graph['inputs'][number] => ({ name, dtype: 'UFIXED_POINT_16', shape: [1, 4], quantization });
const memory: NonNullable<Graph['memory']> = { spillFillBytes: 0, vtcmBytes: 8 * 2 ** 20, optimizationLevel: 3, ioBytes: 0, runListBytes: 0, constantBytes: 0, sharedWeightBytes: 100 };
const graph = (name: string, changes: Partial<Graph> = {}): Graph => ({ name, inputs: [row('x')], outputs: [row('y')], memory, ...changes });
const GRAPHS = PLANS.map(({ name }) => graph(name));
const BINARY: ContextBinary = {
  path: '/part.bin', bytes: 1000, form: 3, buildId: 'v2.51', backendId: 6, coreApi: '2.40.0', backendApi: '5.51.0', contextBlobVersion: '', blobBytes: 1000,
  socModel: 69, hexagon: 79, contextTensors: [], graphs: GRAPHS,
};
const second = (changes: Partial<Graph>): Partial<ContextBinary> => ({ graphs: [GRAPHS[0] as Graph, graph(PLANS[1]?.name ?? '', changes)] });

describe('a compiled binary', () => {
  it('passes as it was asked for, in any order of its graphs, and without what older builds do not say', () => {
    expect(() => assertBinary(BINARY, PLANS, OPTIONS)).not.toThrow();
    expect(() => assertBinary({ ...BINARY, graphs: [...GRAPHS].reverse() }, PLANS, OPTIONS)).not.toThrow();
    expect(() => assertBinary({ ...BINARY, graphs: GRAPHS.map((each) => ({ ...each, memory: null })) }, PLANS, OPTIONS)).not.toThrow();
  });

  it.each<[string, Partial<ContextBinary>, RegExp]>([
    ['another chip', { socModel: 57 }, /SoC id: 57, not 69/],
    ['no chip', { socModel: null }, /SoC id: null, not 69/],
    ['another version of the processor, which a build took for unknown', { hexagon: 68 }, /Hexagon version: 68, not 79/],
    ['a graph less', { graphs: [GRAPHS[0] as Graph] }, /graphs: /],
    ['a graph of another name', { graphs: [GRAPHS[0] as Graph, graph('ar8_cl32_1_of_1')] }, /graphs: "ar8_cl32_1_of_1", not "ar4_cl32_1_of_1"/],
    ['an input in another encoding', second({ inputs: [{ ...row('x'), quantization: { ...quantization, scale: 0.25 } }] }), /inputs of ar4_cl32_1_of_1: .*0\.25/],
    ['an output of another type', second({ outputs: [{ ...row('y'), dtype: 'UFIXED_POINT_8' }] }), /outputs of ar4_cl32_1_of_1: .*UFIXED_POINT_8/],
    ['an output of another shape', second({ outputs: [{ ...row('y'), shape: [4] }] }), /outputs of ar4_cl32_1_of_1/],
    ['less memory of the processor', second({ memory: { ...memory, vtcmBytes: 4 * 2 ** 20 } }), /VTCM of ar4_cl32_1_of_1: 4194304, not 8388608/],
    ['less effort', second({ memory: { ...memory, optimizationLevel: 1 } }), /optimization of ar4_cl32_1_of_1: 1, not 3/],
    ['weights of its own', second({ memory: { ...memory, sharedWeightBytes: 0 } }), /ar4_cl32_1_of_1 shares no weights/],
    ['more bytes than a device maps', { bytes: 2 ** 31 + 1 }, /2147483649 bytes[^]*write more graphs\.parts/],
  ])('with %s is refused', (_title, changes, message) => {
    expect(() => assertBinary({ ...BINARY, ...changes }, PLANS, OPTIONS)).toThrow(/^QAIRT_BINARY_DIFFERS/);
    expect(() => assertBinary({ ...BINARY, ...changes }, PLANS, OPTIONS)).toThrow(message);
  });

  it('of one graph, or without sharing, has nothing to share', () => {
    const lone = { ...BINARY, graphs: [graph(PLANS[0]?.name ?? '', { memory: { ...memory, sharedWeightBytes: 0 } })] };
    expect(() => assertBinary(lone, PLANS.slice(0, 1), OPTIONS)).not.toThrow();
    expect(() => assertBinary({ ...BINARY, ...second({ memory: { ...memory, sharedWeightBytes: 0 } }) }, PLANS, { ...OPTIONS, weightSharing: false })).not.toThrow();
  });
});
