/** Float32 rows of a parameter, read from the checkpoint's byte ranges a few rows at a time. */
import { closeSync, openSync, readSync } from 'node:fs';
import { type ExternalTensor, type RowRange, type Tensor, type Value, evaluateParameter, rotationOf, rowsTogether } from '@tundish/graph';
import type { FileResolver } from '@tundish/toolchain';
import { quantizeError } from './errors.js';

/** Rows held at once while a large matrix is walked: 16 MiB of float32. */
const CHUNK_ELEMENTS = 4 * 1024 * 1024;

/** Bytes that are read at a time where only their digest is wanted. */
const PIECE_BYTES = 1 << 20;

/** A parameter `[rows, columns]`, or a vector `[columns]` seen as one row. */
export interface WeightSource {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Rows [from, to) as float32, row-major. @throws QUANTIZE_NOT_FINITE, QUANTIZE_WEIGHTS_CUT */
  read(from: number, to: number): Float32Array;
}

/** Reads byte ranges of the files behind logical locations; files stay open until `close`. */
export class TensorFiles {
  readonly #open = new Map<string, number>();
  #bytesRead = 0;

  constructor(private readonly resolve: FileResolver) {}

  get bytesRead(): number {
    return this.#bytesRead;
  }

  read(tensor: Tensor): Uint8Array {
    return tensor.kind === 'inline' ? tensor.data : this.#readRange(tensor);
  }

  close(): void {
    for (const descriptor of this.#open.values()) closeSync(descriptor);
    this.#open.clear();
  }

  /** The bytes of a range in pieces, which share one buffer. @throws QUANTIZE_WEIGHTS_CUT */
  *pieces(tensor: ExternalTensor): Generator<Uint8Array> {
    const buffer = new Uint8Array(Math.min(tensor.length, PIECE_BYTES));
    for (let done = 0; done < tensor.length; ) {
      const piece = buffer.subarray(0, Math.min(buffer.length, tensor.length - done));
      this.#readInto(piece, tensor.location, tensor.offset + done);
      yield piece;
      done += piece.length;
    }
  }

  #readRange(tensor: ExternalTensor): Uint8Array {
    const bytes = new Uint8Array(tensor.length);
    this.#readInto(bytes, tensor.location, tensor.offset);
    this.#bytesRead += tensor.length;
    return bytes;
  }

  #readInto(bytes: Uint8Array, location: string, offset: number): void {
    const descriptor = this.#descriptor(location);
    for (let done = 0; done < bytes.length; ) {
      const count = readSync(descriptor, bytes, done, bytes.length - done, offset + done);
      if (count === 0) {
        throw quantizeError('QUANTIZE_WEIGHTS_CUT', {
          what: `${location} ends inside the range of a weight`,
          evidence: { path: location, offset: offset + done },
          fix: 'the file was cut after load: restore the checkpoint and run again',
        });
      }
      done += count;
    }
  }

  #descriptor(location: string): number {
    const descriptor = this.#open.get(location) ?? openSync(this.resolve(location), 'r');
    this.#open.set(location, descriptor);
    return descriptor;
  }
}

type ReadRows = (from: number, to: number) => Float32Array;

/** The rows of the constant expression below `root`, whose shape is `[rows, columns]` or `[columns]`. */
export function weightSource(name: string, root: Value, files: TensorFiles): WeightSource {
  const { rows, columns } = matrixOf(root);
  const evaluate = rowReader(root, files);
  return {
    name,
    rows,
    columns,
    read: (from, to) => {
      const values = evaluate(from, to);
      if (!allFinite(values)) throw notFinite(name, root, files);
      return values;
    },
  };
}

/** Values that are in memory, as a vector. */
export function vectorSource(name: string, values: Float32Array): WeightSource {
  return { name, rows: 1, columns: values.length, read: () => values };
}

function matrixOf({ shape }: Value): { readonly rows: number; readonly columns: number } {
  const dims = (shape ?? []).map(Number);
  return { rows: dims.length < 2 ? 1 : (dims[0] as number), columns: dims[dims.length - 1] ?? 1 };
}

/** A parameter none of whose rows can be read alone is evaluated once for all reads of a part. */
function rowReader(root: Value, files: TensorFiles): ReadRows {
  const { rows, columns } = matrixOf(root);
  const evaluate = (range?: RowRange): Float32Array => evaluateParameter(root, (tensor) => files.read(tensor), range);
  if ((root.shape ?? []).length < 2) return () => evaluate();
  if (rowsTogether(root) < rows) return (from, to) => evaluate({ from, to });
  let whole: Float32Array | undefined;
  return (from, to) => (from === 0 && to === rows ? evaluate() : (whole ??= evaluate()).slice(from * columns, to * columns));
}

/** Consecutive row ranges that keep a chunk within CHUNK_ELEMENTS; the partition depends on the shape alone. */
export function rowChunks(rows: number, columns: number): { readonly from: number; readonly to: number }[] {
  const step = Math.max(1, Math.floor(CHUNK_ELEMENTS / columns));
  return Array.from({ length: Math.ceil(rows / step) }, (_, i) => ({ from: i * step, to: Math.min(rows, (i + 1) * step) }));
}

export function allFinite(values: Float32Array): boolean {
  // NaN and infinity are the only floats that a product with 0 does not bring to 0, and sums keep them.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) * 0;
  return sum === 0;
}

/**
 * Reads the whole parameter once more, so that the count does not depend on the chunk that was looked at, and without its
 * rotations, which spread one value over all of its group.
 */
function notFinite(name: string, root: Value, files: TensorFiles): Error {
  const stored = countNotFinite(unrotated(root), files);
  const { count, first } = stored.count > 0 ? stored : countNotFinite(root, files);
  return quantizeError('QUANTIZE_NOT_FINITE', {
    what: `${name} holds ${count} value(s) that are NaN or infinite, the first at flat index ${first}`,
    why: 'a scale computed from them would make the whole channel useless',
    evidence: { detail: `tensor ${name}, flat index ${first}` },
    fix: 'the checkpoint is damaged: download it again',
  });
}

function unrotated(root: Value): Value {
  const { producer } = root;
  return producer === undefined || rotationOf(producer) === undefined ? root : unrotated(producer.input(0));
}

function countNotFinite(root: Value, files: TensorFiles): { readonly count: number; readonly first: number } {
  const { rows, columns } = matrixOf(root);
  const evaluate = rowReader(root, files);
  let [count, first] = [0, -1];
  for (const { from, to } of rowChunks(rows, columns)) {
    evaluate(from, to).forEach((value, i) => {
      if (Number.isFinite(value)) return;
      if (count === 0) first = from * columns + i;
      count += 1;
    });
  }
  return { count, first };
}
