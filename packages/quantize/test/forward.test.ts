/** The forward pass of blocks against ONNX Runtime on the adapted graphs of real checkpoints. */
import { type Attribute, type Node, type Tensor, floatTensor, hadamardTensor } from '@tundish/graph';
import { type Kernels, loadKernels, variants } from '@tundish/native';
import type { TensorData } from '@tundish/toolchain';
import { hostReference } from '@tundish/toolchain-host';
import { type Rotations, foldNormGains, rotate } from '@tundish/transform';
import { describe, expect, test } from 'vitest';
import { windowFeeds } from '../src/calibration/windows.js';
import { type LinearGroup, forwardBlock } from '../src/forward/block-forward.js';
import { type BlockDescription, describeBlock } from '../src/forward/block-description.js';
import type { BlockWeights } from '../src/forward/block-weights.js';
import { headInput, headLogits } from '../src/forward/head-forward.js';
import { readBlock } from '../src/forward/read-block.js';
import { findParameters } from '../src/parameters.js';
import { type Segment, segmentAt, segmentCount } from '../src/segments.js';
import { TensorFiles, weightSource } from '../src/weight-source.js';
import { type AdaptedCheckpoint, adapt, repositoryPath } from './adapted.js';

const BUNDLED = 'models/llama32/checkpoint';
const golden = (name: string): string => `test/fixtures/golden/${name}`;
const TOKENS = 24;

/** Runs a segment in ONNX Runtime; `values` names what is wanted. */
async function reference(adapted: AdaptedCheckpoint, segment: Segment, stream: Float32Array | undefined, values: readonly string[]): Promise<Map<string, Float32Array>> {
  const { graph } = segment.model;
  graph.outputs.splice(0, Infinity, ...values.map((name) => graph.value(name)));
  const opened = await hostReference().open({ model: segment.model, resolve: adapted.resolve, threads: 2 });
  const results: ReadonlyMap<string, TensorData> = await opened.run(windowFeeds(adapted.calibration(1, TOKENS), segment, 0, stream), values);
  await opened.close();
  return results as Map<string, Float32Array>;
}

function read(adapted: AdaptedCheckpoint, description: BlockDescription): BlockWeights {
  const files = new TensorFiles(adapted.resolve);
  try {
    return readBlock(description, files, { kernels: loadKernels() });
  } finally {
    files.close();
  }
}

/** Names of the inputs of the four groups in the graph of a block. */
function captureNames({ linears }: BlockDescription): Readonly<Record<LinearGroup, string>> {
  const input = (role: keyof typeof linears): string => linears[role].weight.consumers[0]?.input(0).name as string;
  return { qkv: input('q_proj'), o: input('o_proj'), gate_up: input('gate_proj'), down: input('down_proj') };
}

/** Norm of the difference relative to the norm of what is expected. */
function distance(actual: Float32Array, expected: Float32Array | undefined): number {
  if (expected?.length !== actual.length) return Infinity;
  let [error, size] = [0, 0];
  actual.forEach((value, i) => {
    error += (value - (expected[i] as number)) ** 2;
    size += (expected[i] as number) ** 2;
  });
  return Math.sqrt(error / size);
}

describe('a block', () => {
  test.each([BUNDLED, golden('llama-bias-fp32'), golden('llama-headdim-bf16'), golden('llama-mha-fp32'), golden('llama-rope-llama3-bf16')])('of %s gives what ONNX Runtime gives, inside and at its end', async (folder) => {
    const adapted = await adapt(repositoryPath(folder), TOKENS, TOKENS + 1);
    const [kernels, rope] = [loadKernels(), adapted.calibration(1, TOKENS)];
    const start = segmentAt(adapted.model, adapted.plan, 0);
    let stream = (await reference(adapted, start, undefined, [start.output])).get(start.output) as Float32Array;
    for (let index = 1; index < segmentCount(adapted.plan) - 1; index++) {
      const segment = segmentAt(adapted.model, adapted.plan, index);
      const description = describeBlock(segment);
      const names = captureNames(description);
      const expected = await reference(adapted, segment, stream, [...Object.values(names), segment.output]);
      const captured = new Map<LinearGroup, Float32Array>();
      const output = forwardBlock({ kernels, shape: description.shape, threads: 2 }, read(adapted, description), stream, rope, (group, input) => captured.set(group, input.slice()));
      expect([...captured.keys()]).toEqual(['qkv', 'o', 'gate_up', 'down']);
      for (const [group, input] of captured) expect(distance(input, expected.get(names[group])), `${segment.name} ${group}`).toBeLessThan(2e-6);
      stream = expected.get(segment.output) as Float32Array;
      expect(distance(output, stream), segment.name).toBeLessThan(2e-6);
    }
  });

  test('has the sizes and the parameters of its checkpoint', async () => {
    const adapted = await adapt(repositoryPath(golden('llama-bias-fp32')), 4, 5);
    const { shape, linears, attentionGain, mlpGain } = describeBlock(segmentAt(adapted.model, adapted.plan, 2));
    expect({ ...shape, epsilon: Math.fround(shape.epsilon) }).toEqual({ hidden: 64, heads: 4, kvHeads: 2, headDim: 16, ffn: 160, epsilon: Math.fround(1e-5) });
    expect(Object.values(linears).flatMap(({ weight, bias }) => [weight.name, bias?.name])).toEqual([
      'self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj', 'self_attn.o_proj', 'mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj',
    ].flatMap((module) => [`model.layers.1.${module}.weight`, `model.layers.1.${module}.bias`]));
    expect([attentionGain.name, mlpGain.name]).toEqual(['model.layers.1.input_layernorm.weight', 'model.layers.1.post_attention_layernorm.weight']);
    // Else the comparison with ONNX Runtime would not see a bias that is left out.
    expect(Object.values(read(adapted, describeBlock(segmentAt(adapted.model, adapted.plan, 2))).linears).every(({ bias }) => bias?.some((value) => value !== 0))).toBe(true);
  });

  test('computes the same when the gains were folded into the weights', async () => {
    const adapted = await adapt(repositoryPath(BUNDLED), TOKENS, TOKENS + 1);
    const folded = { ...adapted, model: foldNormGains(adapted.model).model };
    const [before, after] = [adapted, folded].map(({ model }) => describeBlock(segmentAt(model, adapted.plan, 1))) as [BlockDescription, BlockDescription];
    expect(after.linears.q_proj.weight.name).toBe(before.linears.q_proj.weight.name);
    expect(read(folded, after).attentionGain.every((gain) => gain === 1)).toBe(true);
    const run = (description: BlockDescription): Float32Array => forwardBlock({ kernels: loadKernels(), shape: before.shape, threads: 2 }, read(adapted, description), stream(before.shape.hidden), adapted.calibration(1, TOKENS));
    expect(distance(run(after), run(before))).toBeLessThan(2e-6);
    expect(run(after)).not.toEqual(run(before));
  });

  test.each<[string, Rotations]>([[BUNDLED, { r1: true, r2: true, r3: false }], [BUNDLED, { r1: false, r2: false, r3: true }], [golden('llama-bias-fp32'), { r1: true, r2: true, r3: true }]])('of %s rotated by %o gives what ONNX Runtime gives', async (folder, rotations) => {
    const adapted = await adapt(repositoryPath(folder), TOKENS, TOKENS + 1);
    const turned = { ...adapted, model: rotate(foldNormGains(adapted.model).model, rotations).model };
    const segment = segmentAt(turned.model, adapted.plan, 1);
    const description = describeBlock(segment);
    const { shape } = description;
    expect(shape.rotatesHeads).toBe(rotations.r3 ? true : undefined);
    const o = captureNames(description).o;
    const expected = await reference(turned, segment, stream(shape.hidden), [o, segment.output]);
    const captured = new Map<LinearGroup, Float32Array>();
    const output = forwardBlock({ kernels: loadKernels(), shape, threads: 2 }, read(turned, description), stream(shape.hidden), adapted.calibration(1, TOKENS), (group, input) => captured.set(group, input.slice()));
    expect(distance(captured.get('o') as Float32Array, expected.get(o))).toBeLessThan(2e-6);
    expect(distance(output, expected.get(segment.output))).toBeLessThan(2e-6);
  });

  test('has the same bytes from every variant, thread count and implementation', async () => {
    const adapted = await adapt(repositoryPath(BUNDLED), TOKENS, TOKENS + 1);
    const description = describeBlock(segmentAt(adapted.model, adapted.plan, 1));
    const weights = read(adapted, description);
    const bytes = (kernels: Kernels, threads: number): Buffer => Buffer.from(forwardBlock({ kernels, shape: description.shape, threads }, weights, stream(description.shape.hidden), adapted.calibration(1, TOKENS)).buffer);
    const expected = bytes(loadKernels({ allow: 'typescript' }), 1);
    for (const isa of variants()) {
      for (const threads of [1, 2]) expect(bytes(loadKernels({ allow: 'native', isa }), threads).equals(expected), `${isa} with ${threads} threads`).toBe(true);
    }
  });

  test('takes a window that is shorter than the rope tables, whose tokens come out as in the long one', async () => {
    const adapted = await adapt(repositoryPath(BUNDLED), TOKENS, TOKENS + 1);
    const description = describeBlock(segmentAt(adapted.model, adapted.plan, 1));
    const weights = read(adapted, description);
    const run = (tokens: number): Float32Array => forwardBlock({ kernels: loadKernels(), shape: description.shape, threads: 2 }, weights, stream(description.shape.hidden, tokens), adapted.calibration(1, TOKENS));
    expect(run(9)).toEqual(run(TOKENS).slice(0, 9 * description.shape.hidden));
    expect(() => run(TOKENS + 1)).toThrow(expect.objectContaining({ code: 'KERNEL_ARGUMENT' }));
  });
});

/** A residual stream with a few large columns, as trained models have. */
function stream(hidden: number, tokens = TOKENS): Float32Array {
  return Float32Array.from({ length: tokens * hidden }, (_, i) => Math.sin(i * 12.9898) * (i % hidden === 7 ? 30 : 1));
}

describe('what is not such a block', () => {
  const int = (value: number): Attribute => ({ type: 'int', value });
  const multiplyQueries = (segment: Segment, tensor: Tensor): void => {
    const { graph } = segment.model;
    const scores = nodeOf(segment, 'self_attn/MatMul');
    const transposed = graph.addNode({ opType: 'Transpose', inputs: [graph.addInitializer('matrix', tensor)], attributes: { perm: { type: 'ints', value: [1, 0] } } }).output();
    const product = graph.addNode({ opType: 'MatMul', inputs: [scores.input(0), transposed] }).output();
    product.shape = scores.input(0).shape;
    scores.replaceInput(0, product);
  };
  const nodeOf = (segment: Segment, suffix: string): Node => segment.model.graph.nodes.find(({ name }) => name.endsWith(suffix)) as Node;

  test.each<[string, RegExp, (segment: Segment) => void]>([
    ['another axis', /axis of Softmax .* is 2, -1 is expected/, (segment) => nodeOf(segment, 'self_attn/Softmax').attributes.set('axis', int(2))],
    ['a norm of another kind', /made by Sigmoid, RMSNormalization is expected/, ({ model: { graph } }) => {
      const norm = graph.nodes.find(({ opType }) => opType === 'RMSNormalization') as Node;
      graph.replaceProducer(norm.output(), { opType: 'Sigmoid', inputs: [norm.input(0)] });
    }],
    ['another activation', /made by Tanh, Sigmoid is expected/, (segment) => {
      const sigmoid = nodeOf(segment, 'act_fn/Sigmoid');
      segment.model.graph.replaceProducer(sigmoid.output(), { opType: 'Tanh', inputs: [sigmoid.input(0)] });
    }],
    ['norms with different epsilons', /different epsilons/, (segment) => nodeOf(segment, 'post_attention_layernorm/RMSNormalization').attributes.set('epsilon', { type: 'float', value: 0.5 })],
    ['the parallel form', /is read where .* is expected/, (segment) => {
      const norm = nodeOf(segment, 'post_attention_layernorm/RMSNormalization');
      norm.replaceInput(0, segment.model.graph.value(segment.input as string));
    }],
    ['a rotation the other way', /position_ids_cos is read where the input position_ids_sin is expected/, (segment) => nodeOf(segment, 'self_attn/Mul_1').replaceInput(1, segment.model.graph.value('position_ids_cos'))],
    ['heads that are rotated by something else', /multiplies heads with something else/, (segment) => multiplyQueries(segment, floatTensor(Float32Array.from({ length: 256 }, (_, i) => (i % 17 === 0 ? 1 : 0)), [16, 16]))],
    ['queries that are rotated alone', /are not rotated alike/, (segment) => multiplyQueries(segment, hadamardTensor(16))],
    ['another scale', /scores are scaled by attention_scale/, ({ model: { graph } }) => {
      const { tensor } = graph.value('attention_scale');
      graph.value('attention_scale').tensor = { ...tensor, data: new Uint8Array(new Float32Array([1]).buffer) } as typeof tensor;
    }],
  ])('%s is refused', async (_, message, change) => {
    const adapted = await adapt(repositoryPath(golden('llama-mha-fp32')), 4, 5);
    const segment = segmentAt(adapted.model, adapted.plan, 1);
    expect(() => describeBlock(segment)).not.toThrow();
    change(segment);
    expect(() => describeBlock(segment)).toThrow(expect.objectContaining({ code: 'QUANTIZE_UNKNOWN_BLOCK', message: expect.stringMatching(message) }));
  });

  test('the embedding and the head are refused', async () => {
    const adapted = await adapt(repositoryPath(golden('llama-mha-fp32')), 4, 5);
    for (const index of [0, segmentCount(adapted.plan) - 1]) {
      expect(() => describeBlock(segmentAt(adapted.model, adapted.plan, index))).toThrow(expect.objectContaining({ code: 'QUANTIZE_UNKNOWN_BLOCK' }));
    }
  });
});

test('the head gives the logits of ONNX Runtime tile by tile', async () => {
  const adapted = await adapt(repositoryPath(BUNDLED), TOKENS, TOKENS + 1);
  const segment = segmentAt(adapted.model, adapted.plan, segmentCount(adapted.plan) - 1);
  const [gain, head] = ['gain', 'projection'].map((role) => findParameters(segment.model.graph).find((parameter) => parameter.role === role));
  if (gain === undefined || head === undefined) throw new Error('the head has a norm and a projection');
  const hidden = Number(gain.root.shape?.[0]);
  const x = stream(hidden);
  const expected = (await reference(adapted, segment, x, ['logits'])).get('logits') as Float32Array;
  const files = new TensorFiles(adapted.resolve);
  const kernels = loadKernels();
  const rows = weightSource(head.name, head.root, files, { kernels });
  const input = headInput(kernels, x, weightSource(gain.name, gain.root, files, { kernels }).read(0, 1), 1e-5, 2);
  for (const from of [0, 1000]) {
    const logits = headLogits(kernels, input, rows.read(from, from + 300), hidden, 2);
    const wanted = Float32Array.from({ length: TOKENS * 300 }, (_, i) => expected[Math.floor(i / 300) * rows.rows + from + (i % 300)] as number);
    expect(distance(logits, wanted)).toBeLessThan(2e-6);
  }
  files.close();
});
