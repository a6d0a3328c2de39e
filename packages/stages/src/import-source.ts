/** Imports of GGUF files, kept in the cache by the content of the file, the options and the version of the importer. */
import { mkdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GGUF_IMPORT_VERSION } from '@tundish/checkpoint/gguf/version';
import type { Reporter } from '@tundish/diagnostics';
import type { ImportOptions } from '@tundish/recipe/lock';
import { type BlobRef, type FileDigests, canonicalJson, makeFolder, openFileDigests, openStore, placeFolder, sha256File } from '@tundish/store';
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

/** What import.json says of the files, beside the origin. */
interface ImportRecord {
  /** Bytes of each. */
  readonly files: Record<string, number>;
  readonly sha256: Record<string, string>;
}

/**
 * `<cacheRoot>/imports/<32 hex>/`: made once for a file, found afterwards. An import that lost a file, or whose files hold other bytes, is made again.
 *
 * @throws STAGE_IMPORT_MISSING, CHECKPOINT_FILE_NOT_FOUND, GGUF_*; nothing is left behind then
 */
export async function importedCheckpoint({ path, importing, cacheRoot, reporter, signal, readOnly }: ImportRequest): Promise<{ readonly folder: string; readonly file: BlobRef }> {
  await requireFile(path);
  const digests = openFileDigests(cacheRoot);
  const refs: BlobRef[] = [];
  for await (const ref of digests.each([path], reporter, signal)) refs.push(ref);
  const [file] = refs as [BlobRef];
  const origin = { gguf: file.sha256, importer: GGUF_IMPORT_VERSION, options: importing };
  const folder = join(cacheRoot, 'imports', importName(origin));
  if (await isWhole(folder, digests, { reporter, signal, readOnly })) {
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
    const record: ImportRecord = { files: {}, sha256: {} };
    for (const name of files) {
      record.files[name] = (await stat(join(made, name))).size;
      record.sha256[name] = await sha256File(join(made, name), signal);
    }
    await writeFile(join(made, RECORD), `${canonicalJson({ ...origin, ...record }, 2)}\n`);
    await makeFolder(dirname(folder));
    await placeFolder(made, folder, scratch, async () => ((await isWhole(folder, digests, { reporter, signal, readOnly })) ? folder : undefined));
  });
  return { folder, file };
}

/** Every file has the bytes that the importer wrote; read once, then remembered like those of any checkpoint. */
async function isWhole(folder: string, digests: FileDigests, { reporter, signal, readOnly }: Pick<ImportRequest, 'reporter' | 'readOnly'> & { readonly signal: AbortSignal | undefined }): Promise<boolean> {
  try {
    const record = JSON.parse(await readFile(join(folder, RECORD), 'utf8')) as ImportRecord;
    const names = Object.keys(record.files);
    const found: BlobRef[] = [];
    for (const [name, size] of Object.entries(record.files)) if ((await stat(join(folder, name))).size !== size) return false;
    for await (const ref of digests.each(names.map((name) => join(folder, name)), reporter, signal)) found.push(ref);
    return found.every(({ sha256: digest }, i) => digest === record.sha256[names[i] as string]);
  } catch (error) {
    // Whatever is wrong with an import, the answer is to make it again; being stopped is nothing wrong.
    if (signal?.aborted === true) throw error;
    return false;
  } finally {
    if (!readOnly) await digests.save();
  }
}

async function requireFile(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined))?.isFile() === true) return;
  throw stageError('STAGE_SOURCE_MISSING', { what: 'the GGUF file that the recipe names is not there', evidence: { path }, fix: 'put the file there, or correct `checkpoint` in recipe.yaml' });
}
