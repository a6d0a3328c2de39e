/** The folder of an import of a GGUF file, from everything that it depends on. */
import type { ImportOptions } from '@tundish/recipe/lock';
import { canonicalJson, sha256 } from '@tundish/store/gc';

export interface ImportOrigin {
  /** sha256 of the GGUF file. */
  readonly gguf: string;
  /** Version of the importer. */
  readonly importer: number;
  readonly options: ImportOptions;
}

/** Name below `imports` of the cache root. */
export function importName(origin: ImportOrigin): string {
  return sha256(canonicalJson(origin)).slice(0, 32);
}
