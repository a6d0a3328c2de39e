/** A bundle of mini-llama for sm8750: 4 layers in 2 parts, AR 1 and 32, CL 256 and 512; encodings of the real binary in test/fixtures/qnn. */
import { chipByName } from '@tundish/recipe';
import { bundleFiles } from '../src/genie/bundle-files.js';
import type { BundlePlan } from '../src/genie/bundle-plan.js';
import type { Bundle, BundleGraph, BundleTensor } from '../src/genie/bundle.js';
import { defaultCompileSettings, defaultDeviceSettings } from '../src/genie/default-settings.js';

export const CHIP = chipByName('sm8750');
const [HEADS, HEAD_DIM, HIDDEN, VOCABULARY] = [2, 32, 256, 4096];
export const BOUNDARY = '_model_layers_1_Add_1_output_0';

const u16 = (name: string, shape: number[], scale: number, zeroPoint: number): BundleTensor => ({ name, dtype: 'uint16', shape, quantization: { scale, zeroPoint } });
const u8 = (name: string, shape: number[], scale: number): BundleTensor => ({ name, dtype: 'uint8', shape, quantization: { scale, zeroPoint: 128 } });

export interface SampleCell {
  readonly ar: number;
  readonly cl: number;
  readonly part: number;
  readonly parts: number;
  readonly layers: readonly number[];
  /** Names of the tensors that come from the part before and go to the next. */
  readonly takes?: string;
  readonly gives?: string;
}

export function sampleGraph({ ar, cl, part, parts, layers, takes, gives }: SampleCell): BundleGraph {
  const stream = (name: string): BundleTensor => u16(name, [1, 1, ar, HIDDEN], 0.002176149981096387, 36686);
  const cache = (end: 'in' | 'out', length: number): BundleTensor[] =>
    layers.flatMap((i) => [u8(`past_key_${i}_${end}`, [HEADS, 1, HEAD_DIM, length], 0.036 + i), u8(`past_value_${i}_${end}`, [HEADS, 1, length, HEAD_DIM], 0.0057 + i)]);
  const rope = (name: string): BundleTensor => u16(name, [1, 1, ar, HEAD_DIM / 2], 3.051804378628731e-5, 32768);
  return {
    name: `ar${ar}_cl${cl}_${part}_of_${parts}`,
    inputs: [
      takes === undefined ? { name: 'input_ids', dtype: 'int32', shape: [1, ar] } : stream(takes),
      u16('attention_mask', [1, 1, ar, cl], 0.002288853283971548, 65535), rope('position_ids_cos'), rope('position_ids_sin'), ...cache('in', cl - ar),
    ],
    outputs: [gives === undefined ? u16('logits', [1, ar, VOCABULARY], 0.001, 30000) : stream(gives), ...cache('out', ar)],
  };
}

const GRID = [1, 32].flatMap((ar) => [256, 512].map((cl) => ({ ar, cl })));

export function samplePlan(change: Partial<BundlePlan> = {}): BundlePlan {
  return {
    model: 'mini-llama',
    precision: 'w4a16',
    chip: CHIP,
    parts: [
      { file: 'mini-llama_part_1_of_2.bin', graphs: GRID.map((cell) => sampleGraph({ ...cell, part: 1, parts: 2, layers: [0, 1], gives: BOUNDARY })) },
      { file: 'mini-llama_part_2_of_2.bin', graphs: GRID.map((cell) => sampleGraph({ ...cell, part: 2, parts: 2, layers: [2, 3], takes: BOUNDARY })) },
    ],
    checkpoint: {
      vocabularySize: VOCABULARY,
      headDim: HEAD_DIM,
      tokens: { bos: 0, eos: [1], pad: null },
      rope: { theta: 500000, rotaryDim: HEAD_DIM, scaling: { type: 'llama3', factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 256 } },
    },
    generation: { maxTokens: 128, temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1 },
    seed: 42,
    stopSequences: [],
    tokenizer: 'tokenizer.json',
    carried: ['config.json'],
    toolVersions: { qairt: 'v2.51.0.260929181845', tundish: '0.1.0' },
    compile: defaultCompileSettings(CHIP),
    device: defaultDeviceSettings(CHIP, 'mini-llama'),
    ...change,
  };
}

/** The bundle of a plan as a reader sees it. */
export function sampleBundle(plan: BundlePlan = samplePlan()): Bundle {
  const made = bundleFiles(plan);
  const text = new TextDecoder();
  return {
    files: new Map([...made.map(({ path, bytes }) => [path, bytes.length] as const), ...[...plan.parts.map(({ file }) => file), plan.tokenizer, ...plan.carried].map((path) => [path, 1000] as const)]),
    texts: new Map(made.filter(({ path }) => path.endsWith('.json')).map(({ path, bytes }) => [path, text.decode(bytes)])),
    binaries: new Map(plan.parts.map(({ file, graphs }) => [file, { socModel: plan.chip.socModel, graphs }])),
  };
}
