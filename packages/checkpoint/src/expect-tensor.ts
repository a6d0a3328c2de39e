/** Finds a tensor that an architecture asks for, and says precisely what is wrong with it when it cannot be used. */
import { join } from 'node:path';
import { printable } from '@tundish/diagnostics';
import type { Checkpoint, CheckpointTensor } from './checkpoint.js';
import { isFloatDtype } from './dtype.js';
import { fault } from './errors.js';

/**
 * @param shape row-major, as the architecture derives it from the config
 * @throws TundishError CHECKPOINT_TENSOR_MISSING, CHECKPOINT_TENSOR_SHAPE, CHECKPOINT_TENSOR_DTYPE
 */
export function expectTensor(checkpoint: Checkpoint, name: string, shape: readonly number[]): CheckpointTensor {
  const tensor = checkpoint.tensors.get(name);
  if (tensor === undefined) throw missing(checkpoint, name);
  const evidence = { path: join(checkpoint.folder, tensor.file), offset: tensor.offset };
  if (tensor.shape.length !== shape.length || tensor.shape.some((dim, axis) => dim !== shape[axis])) {
    throw fault('CHECKPOINT_TENSOR_SHAPE', {
      what: `${printable(name)}: config asks [${shape.join(',')}], file has [${tensor.shape.join(',')}]`,
      evidence,
      fix: 'config.json and the weights are not of the same model: take both from the same revision.',
    });
  }
  if (!isFloatDtype(tensor.dtype)) {
    throw fault('CHECKPOINT_TENSOR_DTYPE', {
      what: `${printable(name)}: dtype ${tensor.dtype} is not a weight dtype of this architecture (F32, F16, BF16)`,
      evidence,
      fix: 'Give the original checkpoint in bf16, fp16 or fp32.',
    });
  }
  return tensor;
}

function missing(checkpoint: Checkpoint, name: string): Error {
  const shard = checkpoint.unindexed.get(name);
  const what = layersWithoutTensors(checkpoint, name) ?? `missing tensor ${printable(name)}`;
  return fault('CHECKPOINT_TENSOR_MISSING', {
    what: shard === undefined ? what : `${what}: it is needed, and in ${shard}, but not in the index`,
    evidence: { path: checkpoint.folder, detail: `tensor ${printable(name)}` },
    fix: name === 'lm_head.weight' ? 'Is tie_word_embeddings wrong? Correct it, or download the weights again.' : 'Download the weights again, or correct config.json.',
  });
}

/** `layers 2..3: 18 tensors missing` when the layer of this tensor and those after it have no tensor at all. */
function layersWithoutTensors(checkpoint: Checkpoint, name: string): string | undefined {
  const layer = layerOf(name);
  if (layer === undefined) return undefined;
  const counts = new Map<number, number>();
  for (const other of checkpoint.tensors.keys()) {
    const number = layerOf(other);
    if (number !== undefined) counts.set(number, (counts.get(number) ?? 0) + 1);
  }
  const last = checkpoint.config.numHiddenLayers - 1;
  if ([...counts.keys()].some((number) => number >= layer) || last < layer) return undefined;
  const tensors = (last - layer + 1) * (counts.get(0) ?? 1);
  return `${last === layer ? `layer ${layer}` : `layers ${layer}..${last}`}: ${tensors} tensors missing (first: ${printable(name)})`;
}

function layerOf(name: string): number | undefined {
  const number = /\.layers\.(\d{1,9})\./.exec(name)?.[1];
  return number === undefined ? undefined : Number(number);
}
