/** Which entries an archive for Nx may have: files, folders and links that stay inside, as Nx itself packs them. */
import type { Header } from 'tar-stream';

/** The exit code of the task: four bytes, without which an archive is no result. */
export const CODE = { name: 'code', bytes: 4 } as const;

const MAX_NAME = 4096;
// eslint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f\\]|^\/|^[A-Za-z]:/;

/** What keeps an entry out; undefined when it may come in. @param links names of the symbolic links before it */
export function faultOfEntry({ name, type, linkname, size }: Header, links: ReadonlySet<string>): string | undefined {
  if (type !== 'file' && type !== 'directory' && type !== 'symlink') return `it holds an entry of type ${String(type)}`;
  const parts = partsOf(name);
  if (name.length > MAX_NAME || UNSAFE.test(name) || parts.length === 0 || parts.includes('..')) return 'it holds a name that leaves the workspace';
  if (parts.some((_, i) => links.has(parts.slice(0, i + 1).join('/')))) return 'it writes through a symbolic link';
  if (name === CODE.name && (type !== 'file' || size !== CODE.bytes)) return 'its exit code is not a file of four bytes';
  if (type === 'symlink' && leaves(parts, linkname ?? '')) return 'it holds a symbolic link that leaves the workspace';
  return undefined;
}

/** A name as the set of links has it. */
export function plainName(name: string): string {
  return partsOf(name).join('/');
}

function partsOf(name: string): string[] {
  return name.split('/').filter((part) => part !== '' && part !== '.');
}

function leaves(parts: readonly string[], target: string): boolean {
  if (target === '' || target.length > MAX_NAME || UNSAFE.test(target)) return true;
  let depth = parts.length - 1;
  for (const part of partsOf(target)) {
    depth += part === '..' ? -1 : 1;
    if (depth < 0) return true;
  }
  return false;
}
