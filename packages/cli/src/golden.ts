/** Reference results in a safetensors file, as makers of golden vectors write them. */
import { type SafetensorsTensor, readSafetensorsHeader, readTensorBytes } from '@tundish/checkpoint';
import { printable } from '@tundish/diagnostics';
import { cliError } from './errors.js';

export interface Golden {
  has(name: string): boolean;
  /** An int64 tensor, flat. @throws CLI_PARITY_TENSOR */
  integers(name: string): number[];
  /** A float32 tensor of `count` elements, flat. @throws CLI_PARITY_TENSOR */
  floats(name: string, count: number): Float32Array;
}

/** Reads all tensors of a golden file; such files are a few megabytes. */
export async function openGolden(path: string): Promise<Golden> {
  const { tensors } = await readSafetensorsHeader(path);
  const bytes = new Map<string, Uint8Array>();
  for (const [name, tensor] of tensors) bytes.set(name, await readTensorBytes(path, tensor));
  const find = (name: string, dtype: string): { readonly tensor: SafetensorsTensor; readonly data: Uint8Array } => {
    const tensor = tensors.get(name);
    const data = bytes.get(name);
    if (tensor !== undefined && data !== undefined && tensor.dtype === dtype) return { tensor, data };
    throw cliError('CLI_PARITY_TENSOR', {
      what: `the golden file has no ${dtype} tensor ${name}`,
      why: `it has: ${[...tensors].map(([other, { dtype: type }]) => `${printable(other)} ${type}`).join(', ')}`,
      evidence: { path },
    });
  };
  return {
    has: (name) => tensors.has(name),
    integers: (name) => Array.from(new BigInt64Array(new Uint8Array(find(name, 'I64').data).buffer), Number),
    floats: (name, count) => {
      const { data } = find(name, 'F32');
      const values = new Float32Array(new Uint8Array(data).buffer);
      if (values.length === count) return values;
      throw cliError('CLI_PARITY_TENSOR', { what: `${name} of the golden file has ${values.length} elements, the model gives ${count}`, evidence: { path }, fix: 'the golden file belongs to another checkpoint' });
    },
  };
}
