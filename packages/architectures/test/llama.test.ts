/** What adapting a Llama checkpoint gives and refuses, on the trained model and on damaged checkpoints. */
import { fileURLToPath } from 'node:url';
import { type Checkpoint, openCheckpoint } from '@tundish/checkpoint';
import { recordingReporter } from '@tundish/diagnostics';
import { encodeModel } from '@tundish/graph';
import { describe, expect, it } from 'vitest';
import { type Adapted, architectureFor, architectures, chooseBase } from '../src/index.js';

const MINI = fileURLToPath(new URL('../../../models/llama32/checkpoint', import.meta.url));
const GOLDEN = fileURLToPath(new URL('../../../test/fixtures/golden/', import.meta.url));
const BAD = fileURLToPath(new URL('../../../test/fixtures/bad/checkpoints/', import.meta.url));

const open = (folder: string): Promise<Checkpoint> => openCheckpoint(folder, { knownModelTypes: [...architectures.keys()] });
const adapt = (checkpoint: Checkpoint): Adapted => architectureFor('llama').adapt(checkpoint, { baseAr: 2073, baseCl: 4173 });

describe('the adapted graph of the trained model', () => {
  it('has the inputs and outputs of the contract, in order', async () => {
    const { graph } = adapt(await open(MINI)).model;
    const table = (values: typeof graph.inputs): string[] => values.map((value) => `${value.name} ${value.dtype} [${value.shape}]`);
    expect(table(graph.inputs.slice(0, 6))).toEqual([
      'input_ids 6 [1,2073]',
      'attention_mask 1 [1,1,2073,4173]',
      'position_ids_cos 1 [1,1,2073,16]',
      'position_ids_sin 1 [1,1,2073,16]',
      'past_key_0_in 1 [2,1,32,2100]',
      'past_value_0_in 1 [2,1,2100,32]',
    ]);
    expect(table(graph.outputs.slice(0, 3))).toEqual(['logits 1 [1,2073,4096]', 'past_key_0_out 1 [2,1,32,2073]', 'past_value_0_out 1 [2,1,2073,32]']);
    expect([graph.inputs.length, graph.outputs.length]).toEqual([12, 9]);
  });

  it('reads every weight as a byte range of the checkpoint file and holds less than 1 KiB itself', async () => {
    const checkpoint = await open(MINI);
    const { model } = adapt(checkpoint);
    const external = model.graph.initializers.filter(({ tensor }) => tensor?.kind === 'external');
    expect(external.map(({ name }) => name).sort()).toEqual([...checkpoint.tensors.keys()].sort());
    for (const { name, tensor } of external) {
      const { file, offset, length } = checkpoint.tensors.get(name) ?? {};
      expect(tensor).toMatchObject({ location: file, offset, length });
    }
    const inline = model.graph.initializers.map(({ tensor }) => (tensor?.kind === 'inline' ? tensor.data.length : 0));
    expect(inline.reduce((sum, length) => sum + length, 0)).toBeLessThan(1024);
  });

  it('gives one shape and type to every value', async () => {
    const { graph } = adapt(await open(MINI)).model;
    const unknown = graph.values.filter(({ dtype, shape }) => dtype === undefined || shape === undefined || shape.some((dim) => typeof dim !== 'number'));
    expect(unknown.map(({ name }) => name)).toEqual([]);
  });

  it('names the values between the blocks and says where each tensor comes from', async () => {
    const checkpoint = await open(MINI);
    const { adaptation, model } = adapt(checkpoint);
    expect(adaptation).toMatchObject({
      modelType: 'llama',
      base: { ar: 2073, cl: 4173 },
      dims: { layers: 4, hidden: 256, heads: 8, kvHeads: 2, headDim: 32, ffn: 768, vocab: 4096 },
      embedding: '/model/embed_tokens/Gather_output_0',
      finalNorm: '/model/norm/RMSNormalization_output_0',
      tied: true,
    });
    expect(adaptation.layers[1]).toEqual({
      index: 1,
      hiddenIn: '/model/layers.0/Add_1_output_0',
      afterAttention: '/model/layers.1/Add_output_0',
      hiddenOut: '/model/layers.1/Add_1_output_0',
      pastKeyIn: 'past_key_1_in',
      pastValueIn: 'past_value_1_in',
      pastKeyOut: 'past_key_1_out',
      pastValueOut: 'past_value_1_out',
    });
    expect(Object.keys(adaptation.tensors)).toEqual([...checkpoint.tensors.keys()].sort());
    for (const { hiddenIn, afterAttention, hiddenOut } of adaptation.layers) {
      for (const name of [hiddenIn, afterAttention, hiddenOut]) expect(model.graph.value(name).shape).toEqual([1, 2073, 256]);
    }
  });

  it('is the same bytes every time', async () => {
    const [first, second] = [adapt(await open(MINI)), adapt(await open(MINI))];
    expect(Buffer.compare(encodeModel(first.model), encodeModel(second.model))).toBe(0);
    expect(JSON.stringify(first.adaptation)).toBe(JSON.stringify(second.adaptation));
  });

  it('keeps each stored type of a mixed checkpoint and casts what is not float32', async () => {
    const { graph } = adapt(await open(`${GOLDEN}llama-mixed-dtype`)).model;
    const casts = graph.nodes.filter(({ opType }) => opType === 'Cast').map((node) => node.input(0).dtype);
    const stored = graph.initializers.filter(({ tensor }) => tensor?.kind === 'external').map(({ dtype }) => dtype);
    expect(new Set(stored)).toEqual(new Set([1, 10, 16]));
    expect(new Set(casts)).toEqual(new Set([10, 16]));
  });
});

describe('a damaged checkpoint', () => {
  it.each([
    ['cfg-kv-heads-lie', 'CHECKPOINT_TENSOR_SHAPE', 'k_proj'],
    ['cfg-hidden-size-lies', 'CHECKPOINT_TENSOR_SHAPE', 'embed_tokens'],
    ['cfg-ffn-lies', 'CHECKPOINT_TENSOR_SHAPE', 'gate_proj'],
    ['cfg-vocab-lies', 'CHECKPOINT_TENSOR_SHAPE', 'embed_tokens'],
    ['cfg-more-layers', 'CHECKPOINT_TENSOR_MISSING', 'layers 2..3'],
    ['tensor-missing', 'CHECKPOINT_TENSOR_MISSING', 'model.layers.1.self_attn.q_proj.weight'],
    ['tensor-missing-lm-head', 'CHECKPOINT_TENSOR_MISSING', 'lm_head.weight'],
    ['tensor-transposed', 'CHECKPOINT_TENSOR_SHAPE', 'k_proj'],
    ['tensor-int8', 'CHECKPOINT_TENSOR_DTYPE', 'q_proj'],
    ['tensor-unexpected-bias', 'ARCHITECTURE_BIAS_DROPPED', 'q_proj.bias'],
  ])('%s is refused with %s', async (name, code, said) => {
    const checkpoint = await open(`${BAD}${name}`);
    expect(() => adapt(checkpoint)).toThrow(expect.objectContaining({ code, what: expect.stringContaining(said) as string }) as Error);
  });

  it.each([
    ['tensor-unexpected', 'model.layers.0.self_attn.sink'],
    ['cfg-fewer-layers', 'model.layers.1.input_layernorm.weight'],
    ['control-good', undefined],
    ['control-sharded-good', undefined],
  ])('%s loads and warns of %s', async (name, warned) => {
    const reporter = recordingReporter();
    architectureFor('llama').adapt(await open(`${BAD}${name}`), { baseAr: 2073, baseCl: 4173, reporter });
    expect(reporter.warnings).toEqual(warned === undefined ? [] : [expect.stringContaining(warned)]);
  });
});

describe('the size of a graph', () => {
  it.each([[0, 8], [8, 8], [9, 8], [1.5, 8]])('AR %s and CL %s are refused', async (baseAr, baseCl) => {
    const checkpoint = await open(MINI);
    expect(() => architectureFor('llama').adapt(checkpoint, { baseAr, baseCl })).toThrow(expect.objectContaining({ code: 'ARCHITECTURE_SIZE_INVALID' }) as Error);
  });

  it('starts from the base of the vendor when that is free', async () => {
    expect(chooseBase(architectureFor('llama').sizes((await open(MINI)).config))).toEqual({ ar: 2073, cl: 4173 });
  });
});

it('an unknown model_type lists the known ones', () => {
  expect(() => architectureFor('zorblax')).toThrow(expect.objectContaining({ code: 'ARCHITECTURE_UNKNOWN', why: expect.stringContaining('llama') as string }) as Error);
});
