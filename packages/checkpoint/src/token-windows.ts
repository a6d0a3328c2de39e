/** Windows of token ids in a safetensors file, for protocols that fix the tokens themselves. */
import { fault } from './errors.js';
import { readSafetensorsHeader } from './safetensors.js';
import { readTensorBytes } from './tensor-bytes.js';

export interface TokenWindows {
  /** Rows of equal length. */
  readonly windows: readonly Int32Array[];
  /** The bytes of the tensor, for digests. */
  readonly bytes: Uint8Array;
}

/** The rows of the tensor `name` (I32 [windows, length]). @throws CHECKPOINT_TOKEN_WINDOWS, SAFETENSORS_* */
export async function readTokenWindows(path: string, name: string): Promise<TokenWindows> {
  const tensor = (await readSafetensorsHeader(path)).tensors.get(name);
  const [count, length] = tensor?.shape ?? [];
  if (tensor?.dtype !== 'I32' || tensor.shape.length !== 2 || count === undefined || length === undefined) {
    throw fault('CHECKPOINT_TOKEN_WINDOWS', { what: `the file has no tensor ${name} of I32 [windows, length]`, evidence: { path }, fix: `write the tokens as int32 under the name ${name}` });
  }
  const bytes = await readTensorBytes(path, tensor);
  const ids = new Int32Array(new Uint8Array(bytes).buffer);
  return { windows: Array.from({ length: count }, (_, i) => ids.subarray(i * length, (i + 1) * length)), bytes };
}
