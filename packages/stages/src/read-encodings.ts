/** Reads the encodings of a graph back from an earlier stage and its weight files, for toolchains that take them as data. */
import { closeSync, openSync, readSync } from 'node:fs';
import { DataType, type Encodings, type Model, type Node, type ParameterEncoding, type Tensor } from '@tundish/graph';
import { stageError } from './errors.js';
import { readActivations } from './graph-files.js';
import type { StageInput } from './stage.js';

/** Encodings of `model`, which comes from `input`; undefined for a floating-point build. */
export async function readEncodings(model: Model, input: StageInput): Promise<Encodings | undefined> {
  const activations = await readActivations(input);
  const parameters = readParameterEncodings(model, input);
  return activations === undefined && parameters.size === 0 ? undefined : { activations: activations ?? new Map(), parameters };
}

/** Encodings of LPBQ, of float block scales and of channels by the name of the codes' initializer. */
function readParameterEncodings({ graph }: Model, input: StageInput): Map<string, ParameterEncoding> {
  const encodings = new Map<string, ParameterEncoding>();
  for (const node of graph.nodes.filter(({ opType }) => opType === 'DequantizeLinear')) {
    const codes = node.input(0);
    const blockSize = node.int('block_size') ?? 0;
    if (codes.tensor === undefined) continue;
    if (blockSize > 0) encodings.set(codes.name, node.input(1).tensor === undefined ? lpbqOf(node, blockSize, input) : perBlockOf(node, blockSize, input));
    else if (node.int('axis') === 0) encodings.set(codes.name, { kind: 'per-channel', dtype: codeType(codes.tensor), axis: 0, scale: scalesOf(node, input) });
  }
  return encodings;
}

function perBlockOf(node: Node, blockSize: number, input: StageInput): ParameterEncoding {
  const codes = node.input(0).tensor as Tensor;
  return { kind: 'per-block', dtype: codeType(codes), blockSize, channels: codes.dims[0] ?? 0, scale: scalesOf(node, input) };
}

/** Codes of 4 bits are stored as code + 8. */
function codeType({ dtype }: Tensor): 'int4' | 'int8' {
  return dtype === DataType.UINT4 ? 'int4' : 'int8';
}

function scalesOf(node: Node, input: StageInput): Float32Array {
  return floats(bytesOfTensor(node.input(1).tensor, node, input));
}

/** The scale of a block is the product Cast(block scale) * channel scale. */
function lpbqOf(node: Node, blockSize: number, input: StageInput): ParameterEncoding {
  const product = node.input(1).producer;
  const [cast, channel] = product?.opType === 'Mul' ? [product.input(0).producer, product.input(1).tensor] : [];
  if (cast?.opType !== 'Cast' || channel === undefined) {
    throw stageError('STAGE_REQUIRES', { what: `the scale of ${node.name} is not Cast(block scale) * channel scale`, why: 'only weights that quantize wrote are understood' });
  }
  return {
    kind: 'lpbq', dtype: 'int4', blockSize,
    channelScale: floats(bytesOfTensor(channel, node, input)),
    blockScale: bytesOfTensor(cast.input(0).tensor, node, input),
  };
}

function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer);
}

function bytesOfTensor(tensor: Tensor | undefined, node: Node, input: StageInput): Uint8Array {
  if (tensor === undefined) throw stageError('STAGE_REQUIRES', { what: `the scale of ${node.name} is not a constant` });
  if (tensor.kind === 'inline') return tensor.data;
  const bytes = new Uint8Array(tensor.length);
  const descriptor = openSync(input.resolve(tensor.location), 'r');
  try {
    const read = readSync(descriptor, bytes, 0, tensor.length, tensor.offset);
    if (read !== tensor.length) throw stageError('STAGE_REQUIRES', { what: `${tensor.location} ends inside the scales of ${node.name}`, evidence: { path: tensor.location, offset: tensor.offset + read } });
  } finally {
    closeSync(descriptor);
  }
  return bytes;
}
