/** Weight files by their headers: safetensors and GGUF. */
import { readSafetensorsHeader } from '@tundish/checkpoint';
import { formatBytes } from '@tundish/diagnostics';
import { type Description, shapeText, tally, tallyText } from './description.js';

/** @throws SAFETENSORS_*, CHECKPOINT_FILE_* */
export async function describeSafetensors(path: string): Promise<Description> {
  const { size, tensors, metadata } = await readSafetensorsHeader(path);
  const all = [...tensors.values()];
  const dtypes = tally(all.map(({ dtype }) => dtype));
  const weightBytes = all.reduce((sum, { length }) => sum + length, 0);
  return {
    kind: 'safetensors file',
    path,
    bytes: size,
    facts: [
      ['tensors', `${all.length} (${tallyText(dtypes)})`],
      ['weights', formatBytes(weightBytes)],
      ...[...metadata].map(([key, value]) => [`metadata ${key}`, value] as const),
    ],
    sections: [{ title: 'tensors', lines: all.map(({ name, dtype, shape, length }) => `${name}  ${dtype}  ${shapeText(shape)}  ${formatBytes(length)}`) }],
    data: { dtypes, weightBytes, metadata: Object.fromEntries(metadata), tensors: all },
  };
}

/** @throws GGUF_*, CHECKPOINT_FILE_* */
export async function describeGguf(path: string): Promise<Description> {
  const { readGgufHeader } = await import('@tundish/checkpoint/gguf');
  const { size, version, architecture, metadata, tensors } = await readGgufHeader(path);
  const all = [...tensors.values()].map(({ name, type, shape, offset, length }) => ({ name, type: type.name, shape, offset, length }));
  const types = tally(all.map(({ type }) => type));
  const weightBytes = all.reduce((sum, { length }) => sum + length, 0);
  const values = [...metadata].map(([key, { type, value }]) => ({ key, type, value: Array.isArray(value) ? `${value.length} values` : (value as string | number | bigint | boolean) }));
  return {
    kind: 'GGUF file',
    path,
    bytes: size,
    facts: [
      ['version', String(version)],
      ['architecture', architecture],
      ['tensors', `${all.length} (${tallyText(types)})`],
      ['weights', formatBytes(weightBytes)],
    ],
    sections: [
      { title: 'metadata', lines: values.map(({ key, value }) => `${key}  ${String(value)}`) },
      { title: 'tensors', lines: all.map(({ name, type, shape, length }) => `${name}  ${type}  ${shapeText(shape)}  ${formatBytes(length)}`) },
    ],
    data: { version, architecture, types, weightBytes, metadata: Object.fromEntries(values.map(({ key, value }) => [key, value])), tensors: all },
  };
}
