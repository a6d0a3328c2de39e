/** Applies a plan through the addon: tensors, operations, and the codes of weights read from their files, one at a time. */
import { closeSync, openSync, readSync } from 'node:fs';
import { messageOf } from '@tundish/diagnostics';
import { DataType, type Tensor, encodeFloat16 } from '@tundish/graph';
import type { QnnCallError, QnnContext, QnnData, QnnFileRange, QnnGraph, QnnGraphOptions } from '@tundish/native/qnn';
import { elementsOf } from '../inspection/element-types.js';
import { storedElement } from './element.js';
import type { PlannedData, QnnGraphPlan, StoredReals } from './plan.js';
import { projectionCodes } from './projection-codes.js';

/** Absolute paths of weight files by their logical names. */
export type WeightPaths = Readonly<Record<string, string>>;

/** Bytes of a weight that are read at once, about. */
const CHUNK = 2 ** 22;

/**
 * For a process that may end: the library is called. The graph is not finalized.
 *
 * @throws QnnCallError, also for a weight file that cannot be read
 */
export function composeInto(context: QnnContext, plan: QnnGraphPlan, paths: WeightPaths, options: QnnGraphOptions): QnnGraph {
  const graph = context.createGraph(plan.name, options);
  for (const { name, kind, element, dims, quantization, data } of plan.tensors) {
    graph.addTensor({
      name, type: kind, element, dims: Uint32Array.from(dims),
      ...(quantization === undefined ? {} : { quantization: quantization.kind === 'blockwise' ? { ...quantization, blockScales: storedData(quantization.blockScales, paths) } : quantization }),
      ...(data === undefined ? {} : { data: constantData(data, paths) }),
    });
  }
  for (const operation of plan.operations) graph.addOperation(operation);
  return graph;
}

/** Codes that lie as the library wants them are mapped from their file; a projection is turned, a few rows at a time. @throws QnnCallError */
export function constantData(data: PlannedData, paths: WeightPaths): QnnData | QnnFileRange {
  if ('values' in data) return data.values;
  if ('projection' in data) return turned(data.projection, paths);
  if ('reals' in data) return halves(data, paths);
  return storedData(data.stored, paths);
}

function storedData(tensor: Tensor, paths: WeightPaths): Uint8Array | QnnFileRange {
  return tensor.kind === 'inline' ? tensor.data : { path: pathOf(paths, tensor.location), offset: tensor.offset, bytes: tensor.length };
}

/** For small constants: all of them are in memory at once. */
function halves({ reals: tensor, scale, offset }: StoredReals, paths: WeightPaths): Uint16Array {
  const bytes = tensor.kind === 'inline' ? tensor.data : new Uint8Array(tensor.length);
  if (tensor.kind !== 'inline') forEachChunk({ ...tensor, path: pathOf(paths, tensor.location) }, CHUNK, (chunk, at) => bytes.set(chunk, at));
  return Uint16Array.from(elementsOf(bytes, storedElement(tensor.dtype) ?? 0), (code) => encodeFloat16(Math.fround((code + offset) * scale)));
}

function turned(tensor: Tensor, paths: WeightPaths): Int8Array | Int16Array {
  const [rows = 0, columns = 0] = tensor.dims;
  const bits = tensor.dtype === DataType.UINT4 ? 4 : tensor.dtype === DataType.INT16 ? 16 : 8;
  const result = new (bits === 16 ? Int16Array : Int8Array)(rows * columns);
  const rowBytes = (columns * bits) / 8;
  const turn = (codes: Uint8Array, from: number): void => projectionCodes(codes, bits, { rows, columns, from }, result);
  if (tensor.kind === 'inline') turn(tensor.data, 0);
  // A multiple of four rows, so that every chunk is turned by words.
  else forEachChunk({ ...tensor, path: pathOf(paths, tensor.location) }, Math.max(4, Math.floor(CHUNK / rowBytes / 4) * 4) * rowBytes, (codes, at) => turn(codes, at / rowBytes));
  return result;
}

function forEachChunk({ path, offset, length }: { readonly path: string; readonly offset: number; readonly length: number }, step: number, use: (bytes: Uint8Array, at: number) => void): void {
  const buffer = new Uint8Array(Math.min(step, length));
  const descriptor = asFileFailure(() => openSync(path, 'r'));
  try {
    for (let at = 0; at < length; at += step) {
      const bytes = buffer.subarray(0, Math.min(step, length - at));
      for (let filled = 0; filled < bytes.length; ) {
        const count = asFileFailure(() => readSync(descriptor, bytes, filled, bytes.length - filled, offset + at + filled));
        if (count === 0) throw fileFailure(`${path} ends at ${offset + at + filled}, inside a weight`);
        filled += count;
      }
      use(bytes, at);
    }
  } finally {
    closeSync(descriptor);
  }
}

function pathOf(paths: WeightPaths, location: string): string {
  const path = Object.hasOwn(paths, location) ? paths[location] : undefined;
  if (path === undefined) throw fileFailure(`no path is given for ${location}`);
  return path;
}

function asFileFailure<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fileFailure(messageOf(error));
  }
}

/** In the form of the addon, which the parent turns into an error of ours. */
function fileFailure(message: string): QnnCallError {
  return Object.assign(new Error(message), { call: 'open', result: 0 });
}
