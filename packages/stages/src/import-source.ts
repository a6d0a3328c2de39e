/** Imports of GGUF files, kept in the cache by the content of the file, the options and the version of the importer. */
import { mkdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GGUF_IMPORT_VERSION } from '@tundish/checkpoint/gguf/version';
import type { Reporter } from '@tundish/diagnostics';
import type { ImportOptions } from '@tundish/recipe/lock';
import { type BlobRef, canonicalJson, openFileDigests, openStore, placeFolder } from '@tundish/store';
import { stageError } from './errors.js';
import { importName } from './import-name.js';

export interface ImportRequest {
  /** The GGUF file. */
  readonly path: string;
  readonly importing: ImportOptions;
  readonly cacheRoot: string;
  readonly reporter: Reporter;
  readonly signal?: AbortSignal;
  /** Finds an import and makes none; the memory of digests stays as it is. */
  readonly readOnly: boolean;
}

/** Says what an import was made from and which files it has; written last, so it is there for a whole import only. */
const RECORD = 'import.json';

/**
 * `<cacheRoot>/imports/<32 hex>/`: made once for a file, found afterwards. An import that has lost a file is made again.
 *
 * @throws STAGE_IMPORT_MISSING, CHECKPOINT_FILE_NOT_FOUND, GGUF_*; nothing is left behind then
 */
export async function importedCheckpoint({ path, importing, cacheRoot, reporter, signal, readOnly }: ImportRequest): Promise<{ readonly folder: string; readonly file: BlobRef }> {
  await requireFile(path);
  const digests = openFileDigests(cacheRoot);
  const refs: BlobRef[] = [];
  for await (const ref of digests.each([path], reporter, signal)) refs.push(ref);
  const [file] = refs as [BlobRef];
  if (!readOnly) await digests.save();
  const origin = { gguf: file.sha256, importer: GGUF_IMPORT_VERSION, options: importing };
  const folder = join(cacheRoot, 'imports', importName(origin));
  if (await isWhole(folder)) {
    if (readOnly) return { folder, file };
    const now = new Date();
    // gc leaves alone what was used lately; a store that cannot be written still serves.
    await utimes(join(folder, RECORD), now, now).catch(() => undefined);
    return { folder, file };
  }
  if (readOnly) throw stageError('STAGE_IMPORT_MISSING', { what: 'the GGUF file has not been imported yet', why: 'nothing is written here, and a build would import it first', evidence: { path }, fix: 'write the lock, which imports it: npx nx g @tundish/nx:lock' });
  const { importGguf } = await import('@tundish/checkpoint/gguf');
  await openStore(cacheRoot).withScratch(async (scratch) => {
    const made = join(scratch, 'import');
    await mkdir(made);
    const { files } = await importGguf({ path, folder: made, dtype: importing.dtype, reporter, ...(signal === undefined ? {} : { signal }) });
    const sizes: Record<string, number> = {};
    for (const name of files) sizes[name] = (await stat(join(made, name))).size;
    await writeFile(join(made, RECORD), `${canonicalJson({ ...origin, files: sizes }, 2)}\n`);
    await mkdir(dirname(folder), { recursive: true });
    await placeFolder(made, folder, scratch, async () => ((await isWhole(folder)) ? folder : undefined));
  });
  return { folder, file };
}

async function isWhole(folder: string): Promise<boolean> {
  try {
    const { files } = JSON.parse(await readFile(join(folder, RECORD), 'utf8')) as { readonly files: Readonly<Record<string, number>> };
    for (const [name, size] of Object.entries(files)) if ((await stat(join(folder, name))).size !== size) return false;
    return true;
  } catch {
    // Whatever is wrong with an import, the answer is to make it again.
    return false;
  }
}

async function requireFile(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined))?.isFile() === true) return;
  throw stageError('STAGE_SOURCE_MISSING', { what: 'the GGUF file that the recipe names is not there', evidence: { path }, fix: 'put the file there, or correct `checkpoint` in recipe.yaml' });
}
