/** Float32 rows of a parameter, read from the checkpoint's byte ranges a few rows at a time. */
import { closeSync, openSync } from 'node:fs';
import { type ExternalTensor, type HalfDecoder, type RowRange, type Tensor, type Value, evaluateParameter, rotationOf, rowsTogether } from '@tundish/graph';
import type { Kernels } from '@tundish/native';
import { readBuffer } from '@tundish/store';
import type { FileResolver } from '@tundish/toolchain';
import { quantizeError } from './errors.js';
import { type FloatStack, releasing, takeBytes, takeFloats } from './float-stack.js';
import { readWhole } from './read-whole.js';

/** Rows held at once while a large matrix is walked: 16 MiB of float32. */
const CHUNK_ELEMENTS = 4 * 1024 * 1024;

/** Bytes that are read at a time where only their digest is wanted. */
const PIECE_BYTES = 1 << 20;

/** A parameter `[rows, columns]`, or a vector `[columns]` seen as one row. */
export interface WeightSource {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Has the memory of what is read, until the caller releases it; without it that is new. */
  readonly stack?: FloatStack;
  /** Rows [from, to) as float32, row-major. @throws QUANTIZE_NOT_FINITE, QUANTIZE_WEIGHTS_CUT */
  read(from: number, to: number): Float32Array;
}

/** What reads and checks weights, and where they go. */
export interface WeightReading {
  readonly kernels: Kernels;
  readonly stack?: FloatStack;
}

/** Reads byte ranges of the files behind logical locations; files stay open until `close`. */
export class TensorFiles {
  readonly #open = new Map<string, number>();
  #bytesRead = 0;

  constructor(private readonly resolve: FileResolver) {}

  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** The bytes of a tensor, in memory of the stack where there is one. @throws QUANTIZE_WEIGHTS_CUT */
  read(tensor: Tensor, stack?: FloatStack): Uint8Array {
    if (tensor.kind === 'inline') return tensor.data;
    const bytes = takeBytes(stack, tensor.length);
    this.#readInto(bytes, tensor.location, tensor.offset);
    this.#bytesRead += tensor.length;
    return bytes;
  }

  close(): void {
    for (const descriptor of this.#open.values()) closeSync(descriptor);
    this.#open.clear();
  }

  /** The bytes of a range in pieces, which share one buffer. @throws QUANTIZE_WEIGHTS_CUT */
  *pieces(tensor: ExternalTensor): Generator<Uint8Array> {
    const buffer = readBuffer(Math.min(tensor.length, PIECE_BYTES));
    for (let done = 0; done < tensor.length; ) {
      const piece = buffer.subarray(0, Math.min(buffer.length, tensor.length - done));
      this.#readInto(piece, tensor.location, tensor.offset + done);
      yield piece;
      done += piece.length;
    }
  }

  #readInto(bytes: Uint8Array, location: string, offset: number): void {
    readWhole(this.#descriptor(location), bytes, offset, { path: location, what: `${location} ends inside the range of a weight`, fix: 'the file was cut after load: restore the checkpoint and run again' });
  }

  #descriptor(location: string): number {
    const descriptor = this.#open.get(location) ?? openSync(this.resolve(location), 'r');
    this.#open.set(location, descriptor);
    return descriptor;
  }
}

type ReadRows = WeightSource['read'];

/** The rows of the constant expression below `root`, whose shape is `[rows, columns]` or `[columns]`. */
export function weightSource(name: string, root: Value, files: TensorFiles, reading: WeightReading): WeightSource {
  const { rows, columns } = matrixOf(root);
  const evaluate = rowReader(root, files, reading);
  return {
    name,
    rows,
    columns,
    ...(reading.stack === undefined ? {} : { stack: reading.stack }),
    read: (from, to) => {
      const values = evaluate(from, to);
      if (!reading.kernels.allFinite(values)) throw notFinite(name, root, files, reading.kernels);
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

/** Widening in the addon. */
export function halfDecoder(kernels: Kernels): HalfDecoder {
  return { bfloat16: (halves, out) => kernels.widenBf16(halves, 2, out), float16: (halves, out) => kernels.widenF16(halves, 2, out) };
}

/** A parameter none of whose rows can be read alone is evaluated once for all reads of a part. */
function rowReader(root: Value, files: TensorFiles, { kernels, stack }: WeightReading): ReadRows {
  const { rows, columns } = matrixOf(root);
  const decoder = halfDecoder(kernels);
  const evaluate = (range?: RowRange, out = takeFloats(stack, (range === undefined ? rows : range.to - range.from) * columns)): Float32Array => {
    // The bytes of one tensor make room for those of the next.
    const read = (tensor: Tensor): Uint8Array => releasing(stack, () => files.read(tensor, stack));
    return evaluateParameter(root, read, range, { out, decoder });
  };
  if ((root.shape ?? []).length < 2) return () => evaluate();
  if (rowsTogether(root) < rows) return (from, to) => evaluate({ from, to });
  let whole: Float32Array | undefined;
  return (from, to) => {
    if (from === 0 && to === rows) return evaluate();
    whole ??= evaluate(undefined, new Float32Array(rows * columns));
    const part = takeFloats(stack, (to - from) * columns);
    part.set(whole.subarray(from * columns, to * columns));
    return part;
  };
}

/** Rows that are walked a few at a time. */
export interface RowPart extends RowRange {
  readonly values: Float32Array;
}

/** The parts of a walk over all rows; each is good until the next one is asked for. */
export function* rowParts({ rows, columns, stack, read }: WeightSource): Generator<RowPart> {
  for (const { from, to } of rowChunks(rows, columns)) {
    const mark = stack?.mark;
    try {
      yield { from, to, values: read(from, to) };
    } finally {
      stack?.release(mark);
    }
  }
}

/** Consecutive row ranges that keep a chunk within CHUNK_ELEMENTS; the partition depends on the shape alone. */
export function rowChunks(rows: number, columns: number): RowRange[] {
  const step = Math.max(1, Math.floor(CHUNK_ELEMENTS / columns));
  return Array.from({ length: Math.ceil(rows / step) }, (_, i) => ({ from: i * step, to: Math.min(rows, (i + 1) * step) }));
}

/**
 * Reads the whole parameter once more, so that the count does not depend on the chunk that was looked at, and without its
 * rotations, which spread one value over all of its group.
 */
function notFinite(name: string, root: Value, files: TensorFiles, kernels: Kernels): Error {
  const stored = countNotFinite(unrotated(root), files, kernels);
  const { count, first } = stored.count > 0 ? stored : countNotFinite(root, files, kernels);
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

function countNotFinite(root: Value, files: TensorFiles, kernels: Kernels): { readonly count: number; readonly first: number } {
  const { rows, columns } = matrixOf(root);
  const evaluate = rowReader(root, files, { kernels });
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
