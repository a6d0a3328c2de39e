/** The mini-llama composed: what its plans hold without any library, and what the vendor's emulator makes of them. */
import { sanitiseName } from '@tundish/graph';
import { ELEMENT_CODES, type QnnGraphPlan, TENSOR_KINDS, composeGraph } from '@tundish/toolchain-qairt';
import { beforeAll, describe, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { compareWithEmulator } from './compare-with-emulator.js';
import { type LlamaPart, evaluationTokens, llamaParts } from './llama-parts.js';
import { describeWith, realLibraries } from './real-libraries.js';

const [AR, CL] = [32, 128];
const real = realLibraries();

let parts: LlamaPart[];
let plans: QnnGraphPlan[];
beforeAll(async () => {
  ensureAddon();
  parts = await llamaParts(`{ ar: [1, ${AR}], cl: [${CL}], parts: 2 }`, 'weights: { scheme: lpbq, bits: 4, blockSize: 32 }');
  plans = parts.map(({ model, encodings, name }) => composeGraph(model, encodings, name));
});

describe('the plan of every graph', () => {
  it('has the inputs and outputs of the adapted graph, as codes', () => {
    expect(plans.map(({ name }) => name)).toEqual([1, 2].flatMap((part) => [1, AR].map((ar) => `ar${ar}_cl${CL}_${part}_of_2`)).sort((a, b) => parts.findIndex(({ name }) => name === a) - parts.findIndex(({ name }) => name === b)));
    for (const [i, { inputs, outputs, tensors }] of plans.entries()) {
      const { graph } = (parts[i] as LlamaPart).model;
      expect(inputs.map(({ name, dims }) => [name, dims])).toEqual(graph.inputs.map(({ name, shape }) => [sanitiseName(name), shape]));
      expect(outputs.map(({ name, dims }) => [name, dims])).toEqual(graph.outputs.map(({ name, shape }) => [sanitiseName(name), shape]));
      const elements = new Map([...inputs, ...outputs].map(({ name, element }) => [name, element]));
      for (const [name, element] of elements) expect([name, element]).toEqual([name, name === 'input_ids' ? ELEMENT_CODES.INT_32 : name.startsWith('past_') ? ELEMENT_CODES.UFIXED_POINT_8 : ELEMENT_CODES.UFIXED_POINT_16]);
      expect(tensors.filter(({ kind }) => kind === TENSOR_KINDS.input)).toEqual(inputs);
      expect(tensors.filter(({ kind }) => kind === TENSOR_KINDS.output)).toEqual(outputs);
    }
    const names = plans.flatMap(({ inputs, outputs }) => [...inputs, ...outputs].map(({ name }) => name));
    for (const name of ['input_ids', 'attention_mask', 'position_ids_cos', 'position_ids_sin', 'past_key_0_in', 'past_value_3_out', 'logits']) expect(names).toContain(name);
    expect(names.every((name) => /^[A-Za-z_]\w*$/.test(name))).toBe(true);
  });

  it('makes every tensor before it is read, once, and gives it a quantization', () => {
    for (const { inputs, outputs, tensors, operations } of plans) {
      const known = new Map(tensors.map((tensor) => [tensor.name, tensor]));
      expect(known.size).toBe(tensors.length);
      const made = new Set([...inputs, ...tensors.filter(({ kind }) => kind === TENSOR_KINDS.constant)].map(({ name }) => name));
      for (const operation of operations) {
        expect(operation.inputs.filter((name) => !made.has(name)), operation.name).toEqual([]);
        for (const name of operation.outputs) {
          expect(made.has(name), name).toBe(false);
          expect(known.has(name), name).toBe(true);
          made.add(name);
        }
      }
      expect(made.size).toBe(tensors.length);
      expect(outputs.every(({ name }) => made.has(name))).toBe(true);
      expect(tensors.filter(({ element, quantization }) => element !== ELEMENT_CODES.INT_32 && quantization === undefined)).toEqual([]);
    }
  });

  it('has one operation for what the study composed', () => {
    const last = plans[plans.findIndex(({ name }) => name === `ar${AR}_cl${CL}_2_of_2`)] as QnnGraphPlan;
    const counts: Record<string, number> = {};
    for (const { type } of last.operations) counts[type] = (counts[type] ?? 0) + 1;
    // Three layers of 8 query and 2 cache heads: 12 + 4 projections a layer, a head; scales of scores are nowhere.
    expect(counts).toEqual({
      Conv2d: 3 * 16 + 1, RmsNorm: 3 * 2 + 1, MatMul: 3 * 16, Softmax: 3 * 8, Sigmoid: 3, Convert: 3 * 4,
      ElementWiseAdd: 3 * (10 + 8 + 2), ElementWiseSubtract: 3 * 10, ElementWiseMultiply: 3 * (40 + 2),
      StridedSlice: 3 * (20 + 4), Concat: 3 * (10 + 4 + 1 + 2), Transpose: 3 * 2, Reshape: 2,
    });
  });

  it('has one operation for a rotary embedding where that is asked for, and all else as it was', () => {
    for (const [i, composed] of plans.entries()) {
      const { model, encodings, name } = parts[i] as LlamaPart;
      const plan = composeGraph(model, encodings, name, { rotaryEmbedding: 'operation' });
      const rotations = plan.operations.filter(({ type }) => type === 'RotaryEmbedding');
      const layers = new Set(plan.outputs.map(({ name: output }) => /^past_key_(\d+)_out$/.exec(output)?.[1])).size - 1;
      // Of 8 queries and 2 keys a layer; each result had been joined from halves.
      expect(rotations.length).toBe(layers * 10);
      for (const { inputs: [x = '', ...tables], outputs: [output = ''] } of rotations) {
        expect(tables).toEqual(['position_ids_cos', 'position_ids_sin']);
        const join = composed.operations.find(({ type, outputs: [joined] }) => type === 'Concat' && joined === output);
        const inside = insideOf(composed, join?.inputs ?? []);
        expect(inside.map(({ type }) => type).sort()).toEqual(['ElementWiseAdd', ...Array<string>(4).fill('ElementWiseMultiply'), 'ElementWiseSubtract', 'StridedSlice', 'StridedSlice']);
        expect(inside.filter(({ type }) => type === 'StridedSlice').flatMap(({ inputs }) => inputs)).toEqual([x, x]);
      }
      expect(plan.operations.length).toBe(composed.operations.length - 8 * rotations.length);
      const rest = new Set(plan.operations.filter(({ type }) => type !== 'RotaryEmbedding').map((operation) => operation.name));
      expect(plan.operations.filter((operation) => rest.has(operation.name))).toEqual(composed.operations.filter((operation) => rest.has(operation.name)));
      const named = new Set(plan.operations.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]));
      expect(plan.tensors).toEqual(composed.tensors.filter((tensor) => named.has(tensor.name)));
    }
  });

  it('keeps one encoding through what moves data, and ties both sides of a cache', () => {
    for (const { inputs, outputs, tensors, operations } of plans) {
      const known = new Map(tensors.map((tensor) => [tensor.name, tensor]));
      const grid = (name: string): unknown => known.get(name)?.quantization;
      for (const { type, inputs: sources, outputs: [output = ''], name } of operations) {
        if (['Concat', 'StridedSlice', 'Transpose', 'Reshape'].includes(type)) for (const source of sources) expect(grid(source), name).toEqual(grid(output));
      }
      for (const input of inputs.filter(({ name }) => name.startsWith('past_'))) expect(outputs.find(({ name }) => name === input.name.replace(/_in$/, '_out'))?.quantization).toEqual(input.quantization);
    }
  });

  it('states what calibration measured, times 1/sqrt(D) from the query projection to the scores', () => {
    for (const [i, { tensors }] of plans.entries()) {
      const { encodings: { activations } } = parts[i] as LlamaPart;
      const queries = /q_proj_MatMul|self_attn_(Transpose|Split|Mul|Mul_[123]|Sub|Add|Concat)_output_\d+_sha/;
      let compared = 0;
      for (const [name, { scale, zeroPoint }] of activations) {
        const tensor = tensors.find((candidate) => candidate.name === sanitiseName(name));
        if (tensor === undefined) continue;
        const factor = queries.test(tensor.name) ? Math.fround(1 / Math.sqrt(32)) : 1;
        expect([name, tensor.quantization]).toEqual([name, { kind: 'scale_offset', scale: Math.fround(scale * factor), offset: zeroPoint === 0 ? 0 : -zeroPoint }]);
        compared++;
      }
      expect(compared).toBeGreaterThan(100);
    }
  });

  it('has the same constants in every graph of a part', () => {
    for (const part of [1, 2]) {
      const [one, other] = plans.filter((_, i) => parts[i]?.cell.part === part).map(({ tensors }) => tensors.filter(({ kind }) => kind === TENSOR_KINDS.constant));
      expect(other).toEqual(one);
    }
  });
});

/** The operations behind these tensors, up to where slices are taken. */
function insideOf(plan: QnnGraphPlan, names: readonly string[]): QnnGraphPlan['operations'] {
  const found = new Map<string, QnnGraphPlan['operations'][number]>();
  const visit = (name: string): void => {
    const operation = plan.operations.find(({ outputs: [output] }) => output === name);
    if (operation === undefined || found.has(name)) return;
    found.set(name, operation);
    if (operation.type !== 'StridedSlice') operation.inputs.forEach(visit);
  };
  names.forEach(visit);
  return [...found.values()];
}

describeWith(real.slice(0, 1), 'composed by %s', (_title, libraries) => {
  it('computes what the simulation of the host computes', async () => {
    const chosen = parts.filter(({ cell }) => cell.ar === AR);
    const tokens = await evaluationTokens(CL);
    const { logits, caches } = await compareWithEmulator(libraries, 69, chosen, tokens);
    // Measured: 0.00004 nats, 99.2 % and 0.02 codes of 8 bits, 16 codes of the logits on average.
    expect(logits.kl).toBeLessThan(0.00016);
    expect(logits.top1).toBeGreaterThan(0.97);
    expect(caches).toMatchObject({ max: 1 });
    expect(caches.mean).toBeLessThan(0.04);
  });
});
