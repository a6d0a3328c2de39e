/** The files of a workspace whose digests a lock holds: where the lock cannot be refreshed, it says nothing of an edit of them. */
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { Lock, SourceOptions } from '@tundish/recipe/lock';

/** Paths relative to the workspace, with forward slashes, sorted; files outside of it are left out. */
export function pinnedFiles(workspaceRoot: string, modelRoot: string, lock: Lock): string[] {
  const root = join(workspaceRoot, modelRoot);
  const paths = namedPaths(lock).map((path) => relative(workspaceRoot, resolve(root, path)).split(sep).join('/'));
  return [...new Set(paths.filter((path) => !/^\.\.(\/|$)|^\/|^[A-Za-z]:/.test(path)))].sort();
}

/** Relative to the folder of the model, or absolute, as the lock has them. */
function namedPaths({ source, stages, custom = {} }: Lock): string[] {
  const { options } = stages.quantize;
  return [
    ...(source.kind === 'folder' ? Object.keys(source.files).map((name) => join(source.location, name)) : []),
    ...(source.kind === 'gguf' ? [source.location] : []),
    ...(options === 'none' || options.calibration === undefined ? [] : [options.calibration.text]),
    ...(options !== 'none' && 'source' in options ? sourcePaths(options.source) : []),
    ...Object.values(custom).flatMap(({ use }) => (use.startsWith('.') ? [use] : [])),
  ];
}

/** Weights of an ONNX file lie where it says, seen from its own folder. */
function sourcePaths({ encodings, onnx }: SourceOptions['source']): string[] {
  const beside = onnx === undefined ? [] : Object.keys(onnx.data ?? {}).map((name) => join(dirname(onnx.path), name));
  return [encodings.path, ...(onnx === undefined ? [] : [onnx.path]), ...beside];
}
