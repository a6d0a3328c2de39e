/** JSON and text as files of a bundle: equal data gives equal bytes. */
import type { BundleFile } from '@tundish/toolchain';

export function jsonFile(path: string, data: unknown): BundleFile {
  return textFile(path, `${JSON.stringify(data, null, 2)}\n`);
}

export function textFile(path: string, text: string): BundleFile {
  return { path, bytes: new TextEncoder().encode(text) };
}
