/** export-dlc: every graph of a model for a device as a deep learning container, for the vendor's own tools. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lock } from '@tundish/recipe/lock';
import { partOptions as compileOptions } from '@tundish/stages/lock';
import { graphName } from '@tundish/toolchain';
import { decodePlan, exportDlc, partOptions, planFile, weightPaths } from '@tundish/toolchain-qairt';
import { type ExportOptions, type ExportWork, type ExportedFile, exportBuild } from '../exported-build.js';
import type { Io } from '../io.js';

/** A container names no chip: each is proven for the first of the recipe. @throws CLI_EXPORT_HOST, QAIRT_DLC_* and what a build throws */
export async function exportDlcCommand(options: ExportOptions, io: Io): Promise<void> {
  await exportBuild(options, 'dlc', io, writeContainers);
}

async function writeContainers({ pipeline, libraries, folder, reporter, signal }: ExportWork): Promise<ExportedFile[]> {
  const { lock } = pipeline;
  const cells = Object.entries(lock.cells);
  const written: ExportedFile[] = [];
  for (const [subject, cell] of cells) {
    reporter.progress({ work: 'export-dlc', label: 'graphs', done: written.length, total: cells.length });
    const name = graphName(cell);
    const input = await pipeline.input({ stage: 'convert', subject });
    const file = input.path(planFile(name));
    const plan = decodePlan(await readFile(file), file);
    const path = join(folder, `${name}.dlc`);
    const options = partOptions(compileOptions(lock, firstPartWith(lock, subject)));
    written.push({ path, bytes: await exportDlc(libraries, { plan, paths: weightPaths([plan], input.resolve), options, signal }, path) });
  }
  return written;
}

/** Every cell is in a part of each chip. */
function firstPartWith({ parts }: Lock, cell: string): Lock['parts'][string] {
  return Object.values(parts).find(({ cells }) => cells.includes(cell)) as Lock['parts'][string];
}
