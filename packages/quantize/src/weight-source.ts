/** Float32 rows of a parameter, read from the checkpoint's byte ranges a few rows at a time. */
import { closeSync, openSync, readSync } from 'node:fs';
import { type ExternalTensor, type Tensor, type Value, evaluateParameter } from '@tundish/graph';
import type { FileResolver } from '@tundish/toolchain';
import { quantizeError } from './errors.js';

/** Rows held at once while a large matrix is walked: 16 MiB of float32. */
const CHUNK_ELEMENTS = 4 * 1024 * 1024;

/** A parameter `[rows, columns]`, or a vector `[columns]` seen as one row. */
export interface WeightSource {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Rows [from, to) as float32, row-major. @throws QUANTIZE_NOT_FINITE */
  read(from: number, to: number): Float32Array;
}

/** Reads byte ranges of the files behind logical locations; files stay open until `close`. */
export class TensorFiles {
  readonly #open = new Map<string, number>();

  constructor(private readonly resolve: FileResolver) {}

  read(tensor: Tensor): Uint8Array {
    return tensor.kind === 'inline' ? tensor.data : this.#readRange(tensor);
  }

  close(): void {
    for (const descriptor of this.#open.values()) closeSync(descriptor);
    this.#open.clear();
  }

  #readRange(tensor: ExternalTensor): Uint8Array {
    let descriptor = this.#open.get(tensor.location);
    if (descriptor === undefined) {
      descriptor = openSync(this.resolve(tensor.location), 'r');
      this.#open.set(tensor.location, descriptor);
    }
    const bytes = new Uint8Array(tensor.length);
    for (let done = 0; done < tensor.length; ) {
      const count = readSync(descriptor, bytes, done, tensor.length - done, tensor.offset + done);
      if (count === 0) {
        throw quantizeError('QUANTIZE_NOT_FINITE', {
          what: `${tensor.location} ends inside the range of a weight`,
          evidence: { path: tensor.location, offset: tensor.offset + done },
          fix: 'the file was cut after load: restore the checkpoint and run again',
        });
      }
      done += count;
    }
    return bytes;
  }
}

/** The rows of the constant expression below `root`, whose shape is `[rows, columns]` or `[columns]`. */
export function weightSource(name: string, root: Value, files: TensorFiles): WeightSource {
  const dims = (root.shape ?? []).map(Number);
  const columns = dims[dims.length - 1] ?? 1;
  const rows = dims.length < 2 ? 1 : (dims[0] as number);
  return {
    name,
    rows,
    columns,
    read: (from, to) => {
      const values = dims.length < 2
        ? evaluateParameter(root, (tensor) => files.read(tensor))
        : evaluateParameter(root, (tensor) => files.read(tensor), { from, to });
      assertFinite(name, values, from * columns);
      return values;
    },
  };
}

/** Consecutive row ranges that keep a chunk within CHUNK_ELEMENTS; the partition depends on the shape alone. */
export function rowChunks(rows: number, columns: number): { readonly from: number; readonly to: number }[] {
  const step = Math.max(1, Math.floor(CHUNK_ELEMENTS / columns));
  return Array.from({ length: Math.ceil(rows / step) }, (_, i) => ({ from: i * step, to: Math.min(rows, (i + 1) * step) }));
}

function assertFinite(name: string, values: Float32Array, base: number): void {
  // NaN and infinity are the only floats that a subtraction from themselves does not bring to 0, and sums keep them.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) * 0;
  if (sum === 0) return;
  const bad = values.reduce<number[]>((found, value, i) => (Number.isFinite(value) ? found : [...found, base + i]), []);
  throw quantizeError('QUANTIZE_NOT_FINITE', {
    what: `${name} holds ${bad.length} value(s) that are NaN or infinite, the first at flat index ${bad[0]}`,
    why: 'a scale computed from them would make the whole channel useless',
    evidence: { detail: `tensor ${name}, flat index ${bad[0]}` },
    fix: 'the checkpoint is damaged: download it again',
  });
}
