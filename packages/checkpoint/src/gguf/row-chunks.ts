/** Turns a tensor of a GGUF file into the rows of a checkpoint, some megabytes at a time. */
import type { FileHandle } from 'node:fs/promises';
import { printable } from '@tundish/diagnostics';
import { dtypeBytes } from '../dtype.js';
import type { FloatDtype } from '../dtype.js';
import { fault } from '../errors.js';
import { readRange } from '../read-file.js';
import { dequantizeBlocks } from './dequantize/dequantize.js';
import { narrowFloats } from './narrow.js';
import type { PlannedTensor } from './planned-tensor.js';

/** Elements of one piece: 4 MB as float32, and less in the file and in the checkpoint. */
const CHUNK = 1 << 20;

/**
 * Yields the little-endian bytes of the whole tensor in `dtype`, row-major, in pieces of whole rows.
 *
 * @param handle of the GGUF file at `path`
 * @throws TundishError GGUF_TENSOR_OVERFLOW, GGUF_TYPE_UNSUPPORTED, CHECKPOINT_FILE_UNREADABLE
 */
export async function* rowChunks(handle: FileHandle, path: string, tensor: PlannedTensor, dtype: FloatDtype): AsyncGenerator<Uint8Array> {
  const { source, interleavedHeadDim } = tensor;
  const { rows, columns } = matrixOf(tensor);
  const rowSource = source.length / rows;
  const group = interleavedHeadDim ?? 1;
  const step = Math.max(1, Math.floor(CHUNK / columns / group)) * group;
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row);
    const bytes = await readRange(handle, path, source.offset + row * rowSource, count * rowSource);
    const converted = convert(bytes, tensor, dtype, { path, elements: count * columns });
    yield interleavedHeadDim === undefined ? converted : separateHalves(converted, converted.length / count, interleavedHeadDim);
  }
}

/** A bias that must be reordered counts as a column. */
function matrixOf({ source, interleavedHeadDim }: PlannedTensor): { readonly rows: number; readonly columns: number } {
  if (source.shape.length === 1 && interleavedHeadDim === undefined) return { rows: 1, columns: source.shape[0] ?? 1 };
  return { rows: source.shape[0] ?? 1, columns: source.shape[1] ?? 1 };
}

function convert(bytes: Uint8Array, tensor: PlannedTensor, dtype: FloatDtype, part: { readonly path: string; readonly elements: number }): Uint8Array {
  const { source, name } = tensor;
  if (source.type.name === dtype) return bytes;
  const values = new Float32Array(part.elements);
  dequantizeBlocks(source.type, bytes, values);
  const narrowed = new Uint8Array(part.elements * dtypeBytes(dtype));
  const overflow = narrowFloats(values, dtype, narrowed);
  if (overflow < 0) return narrowed;
  throw fault('GGUF_TENSOR_OVERFLOW', {
    what: `${part.path}: ${printable(name)} (${printable(source.name)}): ${values[overflow]} is too large for float16, whose largest value is 65504`,
    evidence: { path: part.path, offset: source.offset, detail: `tensor ${printable(source.name)}` },
    fix: 'Import with dtype bfloat16.',
  });
}

/** Stored row 2j + s of a head becomes row s * headDim / 2 + j. */
function separateHalves(rows: Uint8Array, rowBytes: number, headDim: number): Uint8Array {
  const separated = new Uint8Array(rows.length);
  const half = headDim / 2;
  for (let stored = 0; stored * rowBytes < rows.length; stored++) {
    const within = stored % headDim;
    const row = stored - within + (within % 2) * half + (within >> 1);
    separated.set(rows.subarray(stored * rowBytes, (stored + 1) * rowBytes), row * rowBytes);
  }
  return separated;
}
