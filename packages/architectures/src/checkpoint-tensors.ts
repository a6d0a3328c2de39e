/** Turns checkpoint tensors into byte-range initializers and accounts for the ones that a graph leaves unread. */
import { type Checkpoint, type FloatDtype, expectTensor } from '@tundish/checkpoint';
import { type Reporter, printable } from '@tundish/diagnostics';
import { DataType, type ExternalTensor } from '@tundish/graph';
import type { TensorSource } from './decoder/scope.js';
import { architectureError } from './errors.js';

const ELEMENT_TYPES: Readonly<Record<FloatDtype, DataType>> = { F32: DataType.FLOAT, F16: DataType.FLOAT16, BF16: DataType.BFLOAT16 };

/** Buffers that old exporters saved along with the weights; they are recomputed from the configuration. */
const RECOMPUTED = /(^|\.)rotary_emb\.(inv_freq|cos_cached|sin_cached)$/;
const LISTED = 20;

/** Reads from `checkpoint`, checking shape and type; every name asked for is added to `used`. */
export function tensorSource(checkpoint: Checkpoint, used: Set<string>): TensorSource {
  return (name, shape): ExternalTensor => {
    const { dtype, file, offset, length } = expectTensor(checkpoint, name, shape);
    used.add(name);
    return { kind: 'external', dtype: ELEMENT_TYPES[dtype as FloatDtype], dims: shape, location: file, offset, length };
  };
}

/** What a decoder's own tensors look like, to tell a cut model from a foreign tensor. */
export interface ReadTensors {
  readonly used: ReadonlySet<string>;
  readonly layers: number;
  readonly tied: boolean;
}

/**
 * Names the tensors that nothing reads: whole layers beyond the configuration and unknown names are warned about, since
 * cutting a model may be meant.
 *
 * @throws ARCHITECTURE_BIAS_DROPPED for a bias of a used module: dropping it changes every result
 */
export function reportUnread(checkpoint: Checkpoint, { used, layers, tied }: ReadTensors, reporter: Reporter): void {
  const unread = [...checkpoint.tensors.keys()].filter((name) => !used.has(name) && !RECOMPUTED.test(name)).sort();
  const beyond = unread.filter((name) => layerOf(name) >= layers);
  const others = unread.filter((name) => layerOf(name) < layers && !(tied && name === 'lm_head.weight'));
  const bias = others.find((name) => name.endsWith('.bias'));
  if (bias !== undefined) {
    throw architectureError('ARCHITECTURE_BIAS_DROPPED', {
      what: `the tensor ${printable(bias)} would be dropped`,
      why: 'the configuration says that this module has no bias',
      evidence: { path: checkpoint.tensors.get(bias)?.file ?? checkpoint.folder },
      fix: 'set attention_bias or mlp_bias in config.json if the model was trained with it, or remove the tensor',
    });
  }
  if (beyond.length > 0) {
    reporter.warn(`config.json asks for ${layers} layers; ${beyond.length} tensors of later layers are not used: ${list(beyond)}`);
  }
  if (others.length > 0) reporter.warn(`${others.length} tensors have no place in this architecture and are not used: ${list(others)}`);
}

function layerOf(name: string): number {
  return Number(/^model\.layers\.(\d+)\./.exec(name)?.[1] ?? -1);
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, LISTED).map((name) => printable(name)).join(', ');
  return names.length > LISTED ? `${shown} and ${names.length - LISTED} more` : shown;
}
