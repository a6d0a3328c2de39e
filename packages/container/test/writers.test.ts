/** The files for other runtimes: golden content, and the rules of their readers. */
import { describe, expect, it } from 'vitest';
import { GENIE_ENGINE, genieConfig, genieObstacle } from '../src/genie-config.js';
import type { GenieFacts, RopeScaling } from '../src/genie-config.js';
import { metadata, toolVersionsYaml } from '../src/metadata.js';
import { flatSpecializations, gridSpecializations, namedSpecializations } from '../src/specializations.js';
import type { FlatSpecialization } from '../src/specializations.js';
import { graph } from './sample.js';

const LLAMA_3B: GenieFacts = {
  contextLength: 4096,
  vocabularySize: 128256,
  headDim: 128,
  tokens: { bos: 128000, eos: [128001, 128008, 128009], pad: 128004 },
  rope: { theta: 500000, rotaryDim: 128, scaling: { type: 'llama3', factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 8192 } },
  generation: { maxTokens: 256, temperature: 0.8, topK: 40, topP: 0.95, repetitionPenalty: 1 },
  seed: 42,
  contextBinaries: ['llama32_part_1_of_3.bin', 'llama32_part_2_of_3.bin', 'llama32_part_3_of_3.bin'],
  tokenizer: 'tokenizer.json',
  extensions: 'htp_backend_ext_config.json',
};

/** The value at a path of keys. */
function at(data: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], data);
}
const withScaling = (scaling: RopeScaling): GenieFacts => ({ ...LLAMA_3B, rope: { theta: 1000042.5, rotaryDim: 4, scaling } });
const rope = (facts: GenieFacts): unknown => at(genieConfig(facts), 'dialog', 'engine', 'model', 'positional-encoding');

describe('genieConfig', () => {
  it('is the worked example of a Llama 3.2 3B', () => {
    expect(genieConfig(LLAMA_3B)).toMatchInlineSnapshot(`
      {
        "dialog": {
          "context": {
            "bos-token": 128000,
            "eos-token": [
              128001,
              128008,
              128009,
            ],
            "n-vocab": 128256,
            "pad-token": 128004,
            "size": 4096,
            "version": 1,
          },
          "engine": {
            "backend": {
              "QnnHtp": {
                "allow-async-init": false,
                "cpu-mask": "0xe0",
                "kv-dim": 128,
                "mmap-budget": 0,
                "poll": true,
                "spill-fill-bufsize": 0,
                "use-mmap": true,
                "version": 1,
              },
              "extensions": "htp_backend_ext_config.json",
              "type": "QnnHtp",
              "version": 1,
            },
            "model": {
              "binary": {
                "ctx-bins": [
                  "llama32_part_1_of_3.bin",
                  "llama32_part_2_of_3.bin",
                  "llama32_part_3_of_3.bin",
                ],
                "version": 1,
              },
              "positional-encoding": {
                "rope-dim": 64,
                "rope-scaling": {
                  "factor": 32,
                  "high-freq-factor": 4,
                  "low-freq-factor": 1,
                  "original-max-position-embeddings": 8192,
                  "rope-type": "llama3",
                },
                "rope-theta": 500000,
                "type": "rope",
              },
              "type": "binary",
              "version": 1,
            },
            "n-threads": 3,
            "version": 1,
          },
          "max-num-tokens": 256,
          "sampler": {
            "seed": 42,
            "temp": 0.8,
            "top-k": 40,
            "top-p": 0.95,
            "version": 1,
          },
          "tokenizer": {
            "path": "tokenizer.json",
            "version": 1,
          },
          "type": "basic",
          "version": 1,
        },
      }
    `);
  });

  it('keeps version out of positional-encoding, and rope out of QnnHtp', () => {
    const objects: [string, object][] = [];
    const walk = (value: unknown, path: string): void => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
      objects.push([path, value]);
      for (const [key, inner] of Object.entries(value)) walk(inner, `${path}/${key}`);
    };
    walk(at(genieConfig(LLAMA_3B), 'dialog'), '');
    expect(objects.filter(([, value]) => !('version' in value)).map(([path]) => path)).toEqual(['/engine/model/positional-encoding', '/engine/model/positional-encoding/rope-scaling']);
    const htp = at(genieConfig(LLAMA_3B), 'dialog', 'engine', 'backend', 'QnnHtp') as object;
    for (const key of ['spill-fill-bufsize', 'use-mmap', 'mmap-budget', 'poll', 'cpu-mask', 'kv-dim']) expect(htp).toHaveProperty([key]);
    for (const key of ['pos-id-dim', 'rope-theta']) expect(htp).not.toHaveProperty([key]);
  });

  it('writes the checkpoint\'s own rope values', () => {
    expect(rope(withScaling({ type: 'default' }))).toEqual({ type: 'rope', 'rope-dim': 2, 'rope-theta': 1000042.5 });
    expect(rope(withScaling({ type: 'linear', factor: 2.5 }))).toMatchObject({ 'rope-scaling': { 'rope-type': 'linear', factor: 2.5 } });
    expect(rope(withScaling({ type: 'longrope', factor: 32, shortFactor: [1, 2], longFactor: [3, 4], originalContextLength: 4096 }))).toMatchObject({
      'rope-scaling': { 'rope-type': 'longrope', 'short-factor': [1, 2], 'long-factor': [3, 4], 'original-max-position-embeddings': 4096 },
    });
  });

  it('names what the format cannot say', () => {
    expect(genieObstacle(LLAMA_3B)).toBeUndefined();
    expect(genieObstacle(withScaling({ type: 'yarn' }))).toMatch(/yarn/);
    expect(genieObstacle({ ...LLAMA_3B, tokens: { bos: null, eos: [2], pad: null } })).toMatch(/bos/);
    expect(genieObstacle({ ...LLAMA_3B, tokens: { bos: 1, eos: [], pad: null } })).toMatch(/eos/);
    const short = withScaling({ type: 'longrope', factor: 2, shortFactor: [1], longFactor: [1, 2], originalContextLength: 8 });
    expect(genieObstacle(short)).toMatch(/must hold 2 values, not 1/);
    expect(() => genieConfig(short)).toThrow(/CONTAINER_GENIE_UNSUPPORTED/);
  });

  it('has one eos as a number, no pad where there is none, and a greedy sampler at temperature 0', () => {
    const facts = { ...LLAMA_3B, tokens: { bos: 1, eos: [2], pad: null }, generation: { ...LLAMA_3B.generation, temperature: 0 } };
    expect(at(genieConfig(facts), 'dialog', 'context')).toEqual({ version: 1, size: 4096, 'n-vocab': 128256, 'bos-token': 1, 'eos-token': 2 });
    expect(at(genieConfig(facts), 'dialog', 'sampler')).toMatchObject({ greedy: true, 'top-k': 1 });
    expect(at(genieConfig(facts), 'dialog', 'sampler')).not.toHaveProperty('token-penalty');
    const open = { ...LLAMA_3B, generation: { ...LLAMA_3B.generation, topK: 0 } };
    expect(at(genieConfig(open), 'dialog', 'sampler', 'top-k')).toBe(128256);
    const penalized = { ...LLAMA_3B, generation: { ...LLAMA_3B.generation, repetitionPenalty: 1.1 } };
    expect(at(genieConfig(penalized), 'dialog', 'sampler', 'token-penalty')).toEqual({ version: 1, 'penalize-last-n': 4096, 'repetition-penalty': 1.1 });
  });

  it('takes stop sequences and the settings of the engine', () => {
    const engine = { ...GENIE_ENGINE, threads: 2, useMmap: false, mmapBudgetMb: 25, spillFillBytes: 4096, poll: false, cpuMask: '0xc0', allowAsyncInit: true };
    const { dialog } = genieConfig({ ...LLAMA_3B, stopSequences: ['</s>', 'User:'], engine });
    expect(at(dialog, 'stop-sequence')).toEqual(['</s>', 'User:']);
    expect(at(dialog, 'engine', 'n-threads')).toBe(2);
    expect(at(dialog, 'engine', 'backend', 'QnnHtp')).toEqual({ version: 1, 'use-mmap': false, 'spill-fill-bufsize': 4096, 'mmap-budget': 25, poll: false, 'cpu-mask': '0xc0', 'kv-dim': 128, 'allow-async-init': true });
    expect(() => genieConfig({ ...LLAMA_3B, stopSequences: ['a', ''] })).toThrow(/a stop sequence is empty/);
  });
});

describe('specializations', () => {
  const names = (list: FlatSpecialization[]): string[] => namedSpecializations(list).specializations.map((s) => s.name);

  // The worked examples of the compiler's front end, by what its own function gives.
  const cases: [string, FlatSpecialization[], string[]][] = [
    ['prefill and decode', [{ batch_size: 1, seq_len: 128, ctx_len: 4096 }, { batch_size: 1, seq_len: 1, ctx_len: 4096 }], ['Prefill', 'Decode']],
    ['context lengths for each phase', [[128, 512], [128, 4096], [1, 512], [1, 4096]].map(([seq, ccl]) => ({ seq_len: seq as number, comp_ctx_lengths: ccl as number })), ['Prefill_0', 'Prefill_1', 'Decode_0', 'Decode_1']],
    ['three decode batches', [1, 2, 4].map((b) => ({ batch_size: b, seq_len: 1 })), ['Decode_0', 'Decode_1', 'Decode_2']],
    ['a vision tower and its language model', [{ _graph_name: 'Vision', img_size: 336 }, { seq_len: 128, vision_size: 576 }, { seq_len: 1, vision_size: 576 }], ['Vision', 'Prefill', 'Decode']],
    ['an untagged vision tower', [{ vision_size: 247, grid_height: 988 }], ['Vision']],
    ['a tagged encoder and decoder', [{ _graph_name: 'Encoder', seq_len: 1, encoder_ctx_len: 1500 }, { _graph_name: 'Decode', seq_len: 1, encoder_ctx_len: 1500 }], ['Encoder', 'Decode']],
    ['an untagged encoder and decoder', [{ seq_len: 1, encoder_ctx_len: 1500 }, { seq_len: 1, encoder_ctx_len: 1500 }], ['Decode_0', 'Decode_1']],
    ['an encoder by its key', [{ encoder_ctx_len: 1500 }], ['Encoder']],
    ['embeddings', [{ sequence_length: 512 }], ['Embedding']],
    ['nothing known', [{ batch_size: 1 }, { latent_height: 64 }], ['Graph_0', 'Graph_1']],
    ['a tag that looks like a numbered name', [{ _graph_name: 'Prefill_0', seq_len: 1 }, { seq_len: 8 }, { seq_len: 16 }], ['Prefill_0', 'Prefill_1', 'Prefill_2']],
  ];
  it.each(cases)('%s', (_, list, expected) => expect(names(list)).toEqual(expected));

  it('both files of a grid', () => {
    const grid = gridSpecializations([1, 128], [512, 1024]);
    expect(flatSpecializations(grid)).toEqual({
      specializations: [
        { batch_size: '1', seq_len: '128', ctx_len: '512' }, { batch_size: '1', seq_len: '128', ctx_len: '1024' },
        { batch_size: '1', seq_len: '1', ctx_len: '512' }, { batch_size: '1', seq_len: '1', ctx_len: '1024' },
      ],
    });
    expect(namedSpecializations(grid).specializations[3]).toEqual({ name: 'Decode_1', symbols: { batch_size: '1', seq_len: '1', ctx_len: '1024' } });
  });

  it('writes numbers as text, leaves tags out, and refuses empty entries', () => {
    expect(namedSpecializations([{ _graph_name: 'CTC', seq_len: 8 }])).toEqual({ specializations: [{ name: 'CTC', symbols: { seq_len: '8' } }] });
    expect(() => namedSpecializations([{ _graph_name: 'CTC' }])).toThrow(/CONTAINER_SPECIALIZATION_INVALID: specialization 0/);
  });
});

describe('metadata', () => {
  it('describes every graph', () => {
    const data = metadata({ modelId: 'sample', precision: 'w4a16', runtime: 'host', toolVersions: { onnxruntime: '1.30.0' }, graphs: [graph(4, 16, 2)] });
    expect(data).toMatchInlineSnapshot(`
      {
        "model_files": {
          "ar4_cl16_2_of_2": {
            "inputs": {
              "hidden": {
                "dtype": "uint16",
                "quantization_parameters": {
                  "scale": 0.5,
                  "zero_point": 100,
                },
                "shape": [
                  1,
                  4,
                  4,
                ],
              },
              "past_key_1_in": {
                "dtype": "uint8",
                "quantization_parameters": {
                  "scale": 0.25,
                  "zero_point": 128,
                },
                "shape": [
                  1,
                  1,
                  2,
                  12,
                ],
              },
            },
            "outputs": {
              "logits": {
                "dtype": "uint16",
                "quantization_parameters": {
                  "scale": 0.125,
                  "zero_point": 32768,
                },
                "shape": [
                  1,
                  4,
                  9,
                ],
              },
              "past_key_1_out": {
                "dtype": "uint8",
                "quantization_parameters": {
                  "scale": 0.25,
                  "zero_point": 128,
                },
                "shape": [
                  1,
                  1,
                  2,
                  4,
                ],
              },
            },
          },
        },
        "model_id": "sample",
        "precision": "w4a16",
        "runtime": "host",
        "tool_versions": {
          "onnxruntime": "1.30.0",
        },
      }
    `);
  });

  it('lists tool versions as YAML, sorted and quoted', () => {
    expect(toolVersionsYaml({ tundish: '0.1.0', onnxruntime: '1.30.0' })).toBe('"onnxruntime": "1.30.0"\n"tundish": "0.1.0"\n');
  });
});
