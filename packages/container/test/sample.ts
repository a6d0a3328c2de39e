/** A small container: two parts, AR 1 and 4, CL 8 and 16. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { containerGraphName } from '../src/manifest.js';
import type { ContainerGraph, ContainerTensor, ManifestFacts } from '../src/manifest.js';

const tensor = (name: string, shape: number[], scale?: number, zeroPoint?: number): ContainerTensor =>
  scale === undefined || zeroPoint === undefined ? { name, dtype: 'int32', shape } : { name, dtype: zeroPoint === 128 ? 'uint8' : 'uint16', shape, quantization: { scale, zeroPoint } };

export function graph(ar: number, cl: number, part: number): ContainerGraph {
  const cell = { ar, cl, part, parts: 2 };
  const hidden = tensor('hidden', [1, ar, 4], 0.5, 100);
  const past = tensor(`past_key_${part - 1}_in`, [1, 1, 2, cl - ar], 0.25, 128);
  const fresh = { ...past, name: `past_key_${part - 1}_out`, shape: [1, 1, 2, ar] };
  return part === 1
    ? { name: containerGraphName(cell), cell, inputs: [tensor('input_ids', [1, ar]), past], outputs: [hidden, fresh] }
    : { name: containerGraphName(cell), cell, inputs: [hidden, past], outputs: [tensor('logits', [1, ar, 9], 0.125, 32768), fresh] };
}

const graphsOf = (part: number): ContainerGraph[] => [1, 4].flatMap((ar) => [8, 16].map((cl) => graph(ar, cl, part)));

export const FACTS: ManifestFacts = {
  model: 'sample',
  toolchain: { name: 'host', version: 'onnxruntime 1.30.0', machine: 'linux-x64 avx2', operators: '' },
  architecture: { modelType: 'llama', hiddenSize: 4, layers: 2, heads: 2, kvHeads: 1, headDim: 2, feedForwardSize: 8 },
  vocabularySize: 9,
  contextLengths: [8, 16],
  ars: [1, 4],
  parts: [1, 2].map((part) => ({ part, files: [{ name: 'weights.data', path: `part${part}/weights.data` }], graphs: graphsOf(part) })),
  rope: { inverseFrequencies: [1], attentionScaling: 1 },
  maskValue: -100,
  tokens: { bos: 1, eos: [2, 3], pad: null },
  generation: { maxTokens: 256, temperature: 0.8, topK: 40, topP: 0.95, repetitionPenalty: 1 },
  provenance: { load: 'a'.repeat(64) },
};

/** A folder with the files of the sample and without a manifest. */
export function sampleFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tundish-container-'));
  for (const part of [1, 2]) {
    mkdirSync(join(folder, `part${part}`));
    writeFileSync(join(folder, `part${part}`, 'weights.data'), `weights of part ${part}`);
  }
  writeFileSync(join(folder, 'tokenizer.json'), '{}');
  return folder;
}
