/** Applies a plan through the addon: tensors, operations, and the codes of weights read from their files, one at a time. */
import { closeSync, openSync, readSync } from 'node:fs';
import { DataType, type Tensor } from '@tundish/graph';
import type { QnnContext, QnnData, QnnFileRange, QnnGraph, QnnGraphOptions } from '@tundish/native/qnn';
import { qairtError } from '../libraries/errors.js';
import type { PlannedData, QnnGraphPlan } from './plan.js';
import { projectionCodes } from './projection-codes.js';

/** Maps the logical names of weight files to absolute paths. */
export type WeightPaths = (location: string) => string;

/** Bytes of a weight that are read at once, about. */
const CHUNK = 2 ** 22;

/** For a process that may end: the library is called. The graph is not finalized. @throws QAIRT_FILE */
export function composeInto(context: QnnContext, plan: QnnGraphPlan, paths: WeightPaths, options: QnnGraphOptions): QnnGraph {
  const graph = context.createGraph(plan.name, options);
  for (const { name, role, element, dims, quantization, data } of plan.tensors) {
    graph.addTensor({
      name, type: role, element, dims: Uint32Array.from(dims),
      ...(quantization === undefined ? {} : { quantization }),
      ...(data === undefined ? {} : { data: constantData(data, paths) }),
    });
  }
  for (const operation of plan.operations) graph.addOperation(operation);
  return graph;
}

/** Codes that lie as the library wants them are mapped from their file; a projection is turned, a few rows at a time. */
function constantData(data: PlannedData, paths: WeightPaths): QnnData | QnnFileRange {
  if ('values' in data) return data.values;
  if ('projection' in data) return turned(data.projection, paths);
  const { stored } = data;
  return stored.kind === 'inline' ? stored.data : { path: paths(stored.location), offset: stored.offset, bytes: stored.length };
}

function turned(tensor: Tensor, paths: WeightPaths): Int8Array | Int16Array {
  const [rows = 0, columns = 0] = tensor.dims;
  const bits = tensor.dtype === DataType.UINT4 ? 4 : tensor.dtype === DataType.INT16 ? 16 : 8;
  const result = new (bits === 16 ? Int16Array : Int8Array)(rows * columns);
  const rowBytes = (columns * bits) / 8;
  const turn = (codes: Uint8Array, from: number): void => projectionCodes(codes, bits, { rows, columns, from }, result);
  if (tensor.kind === 'inline') turn(tensor.data, 0);
  // A multiple of four rows, so that every chunk is turned by words.
  else forEachChunk({ ...tensor, path: paths(tensor.location) }, Math.max(4, Math.floor(CHUNK / rowBytes / 4) * 4) * rowBytes, (codes, at) => turn(codes, at / rowBytes));
  return result;
}

/** @throws QAIRT_FILE when the file ends before the tensor does */
function forEachChunk({ path, offset, length }: { readonly path: string; readonly offset: number; readonly length: number }, step: number, use: (bytes: Uint8Array, at: number) => void): void {
  const buffer = new Uint8Array(Math.min(step, length));
  const descriptor = openSync(path, 'r');
  try {
    for (let at = 0; at < length; at += step) {
      const bytes = buffer.subarray(0, Math.min(step, length - at));
      for (let filled = 0; filled < bytes.length; ) {
        const count = readSync(descriptor, bytes, filled, bytes.length - filled, offset + at + filled);
        if (count === 0) throw qairtError('QAIRT_FILE', { what: 'a weight file ends inside a weight', evidence: { path, offset: offset + at + filled } });
        filled += count;
      }
      use(bytes, at);
    }
  } finally {
    closeSync(descriptor);
  }
}
