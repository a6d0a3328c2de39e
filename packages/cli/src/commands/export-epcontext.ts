/** export-epcontext: the context binaries of a model, each graph in an ONNX file that ONNX Runtime's QNN provider executes. */
import { constants } from 'node:fs';
import { copyFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { containerFolder } from '@tundish/stages/lock';
import { diskError, makeFolder, uniqueSuffix, writeFileAtomic } from '@tundish/store';
import { epContextModel, inspectContextBinary } from '@tundish/toolchain-qairt';
import { type ExportOptions, type ExportWork, type ExportedFile, exportBuild } from '../exported-build.js';
import type { Io } from '../io.js';

/** Of several chips each has a folder of its name. @throws CLI_EXPORT_HOST, QAIRT_EXPORT_TYPE and what a build throws */
export async function exportEpContextCommand(options: ExportOptions, io: Io): Promise<void> {
  await exportBuild(options, 'epcontext', io, writeWrappers);
}

async function writeWrappers(work: ExportWork): Promise<ExportedFile[]> {
  const { pipeline: { lock }, folder, reporter } = work;
  const chips = new Set(Object.values(lock.parts).map(({ chip }) => chip)).size;
  const parts = Object.entries(lock.parts);
  const written: ExportedFile[] = [];
  for (const [i, [subject, { chip }]] of parts.entries()) {
    reporter.progress({ work: 'export-epcontext', label: 'parts', done: i, total: parts.length });
    written.push(...(await writePart(work, subject, join(folder, containerFolder(chip, chips)))));
  }
  return written;
}

/** The binary first: a wrapper that is there has one. */
async function writePart({ pipeline, libraries, signal }: ExportWork, subject: string, folder: string): Promise<ExportedFile[]> {
  await makeFolder(folder);
  const input = await pipeline.input({ stage: 'compile', subject });
  const written: ExportedFile[] = [];
  for (const { name, size } of input.manifest.outputs.filter((output) => output.name.endsWith('.bin'))) {
    const binary = await inspectContextBinary(input.path(name), libraries, signal);
    await copyWhole(input.path(name), join(folder, name));
    written.push({ path: join(folder, name), bytes: size });
    for (const graph of binary.graphs) {
      const path = join(folder, `${graph.name}.onnx`);
      await writeFileAtomic(path, epContextModel(binary, graph.name, name));
      written.push({ path, bytes: (await stat(path)).size });
    }
  }
  return written;
}

async function copyWhole(from: string, to: string): Promise<void> {
  const partial = `${to}.${uniqueSuffix()}`;
  try {
    await copyFile(from, partial, constants.COPYFILE_FICLONE);
    await rename(partial, to);
  } catch (error) {
    await rm(partial, { force: true });
    throw diskError(error, 'copy a binary', to);
  }
}
