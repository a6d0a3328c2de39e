/** Token windows in a safetensors file, for protocols that fix the tokens themselves. */
import { readSafetensorsHeader, readTensorBytes } from '@tundish/checkpoint';
import { sha256 } from '@tundish/store';
import { cliError } from './errors.js';

/** The rows of `eval_windows` (I32 [windows, length]), and the digest of their bytes. @throws CLI_PARITY_TENSOR */
export async function readWindows(path: string): Promise<{ windows: Int32Array[]; sha256: string }> {
  const tensor = (await readSafetensorsHeader(path)).tensors.get('eval_windows');
  const [count, length] = tensor?.shape ?? [];
  if (tensor?.dtype !== 'I32' || count === undefined || length === undefined) {
    throw cliError('CLI_PARITY_TENSOR', { what: 'the file has no tensor eval_windows of I32 [windows, length]', evidence: { path } });
  }
  const bytes = await readTensorBytes(path, tensor);
  const ids = new Int32Array(new Uint8Array(bytes).buffer);
  return { windows: Array.from({ length: count }, (_, i) => ids.subarray(i * length, (i + 1) * length)), sha256: sha256(bytes) };
}
