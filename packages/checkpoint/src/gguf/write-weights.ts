/** Writes the tensors of a GGUF file as one model.safetensors, streaming. */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Reporter } from '@tundish/diagnostics';
import { dtypeBytes } from '../dtype.js';
import type { FloatDtype } from '../dtype.js';
import { openRegularFile, readRange } from '../read-file.js';
import { dequantizeBlocks } from './dequantize/dequantize.js';
import { fitsExactly } from './narrow.js';
import type { PlannedTensor } from './planned-tensor.js';
import { rowChunks } from './row-chunks.js';

export interface WriteWeightsOptions {
  /** Of what the GGUF file has quantized or as float32. */
  readonly dtype: FloatDtype;
  readonly reporter: Reporter;
  readonly signal: AbortSignal | undefined;
}

/** @throws TundishError GGUF_TENSOR_OVERFLOW, GGUF_TYPE_UNSUPPORTED, CHECKPOINT_FILE_UNREADABLE; the reason of the signal */
export async function writeWeights(source: string, target: string, tensors: readonly PlannedTensor[], options: WriteWeightsOptions): Promise<void> {
  const { handle: input } = await openRegularFile(source);
  try {
    const dtypes: FloatDtype[] = [];
    for (const tensor of tensors) dtypes.push(await chooseDtype(input, source, tensor, options.dtype));
    const output = await open(target, 'wx');
    try {
      await output.writeFile(headerOf(tensors, dtypes));
      for (const [index, tensor] of tensors.entries()) {
        for await (const chunk of rowChunks(input, source, tensor, dtypes[index] ?? 'F32')) {
          options.signal?.throwIfAborted();
          await output.writeFile(chunk);
        }
        options.reporter.progress({ work: 'import', label: 'tensors', done: index + 1, total: tensors.length });
      }
    } finally {
      await output.close();
    }
  } finally {
    await input.close();
  }
}

/**
 * Types of 16 bits keep themselves unless float32 is asked for. A vector of float32 (a norm or a bias) is narrowed only where
 * that changes no value: its bytes are few, and its error would be in every output.
 */
async function chooseDtype(input: FileHandle, path: string, { source }: PlannedTensor, dtype: FloatDtype): Promise<FloatDtype> {
  const type = source.type.name;
  if (dtype === 'F32') return dtype;
  if (type === 'F16' || type === 'BF16') return type;
  if (type !== 'F32' || source.shape.length > 1) return dtype;
  const values = new Float32Array(source.length / 4);
  dequantizeBlocks(source.type, await readRange(input, path, source.offset, source.length), values);
  return fitsExactly(values, dtype) ? dtype : 'F32';
}

function headerOf(tensors: readonly PlannedTensor[], dtypes: readonly FloatDtype[]): Uint8Array {
  let end = 0;
  const entries = tensors.map(({ name, source: { shape } }, index) => {
    const dtype = dtypes[index] ?? 'F32';
    const begin = end;
    end += shape.reduce((count, dim) => count * dim, dtypeBytes(dtype));
    return [name, { dtype, shape, data_offsets: [begin, end] }] as const;
  });
  const json = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) });
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text]);
}
