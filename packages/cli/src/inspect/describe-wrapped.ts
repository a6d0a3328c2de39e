/** The context binaries that an ONNX file wraps: its nodes say where they are, the vendor's System library what is in them. */
import { createReadStream, createWriteStream, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { formatBytes } from '@tundish/diagnostics';
import type { EpContextInfo } from '@tundish/graph/summary';
import { type ContextBinary, findLibraries, inspectContextBinary } from '@tundish/toolchain-qairt';
import { qairtPlaces } from '../environment.js';
import { graphSections } from './describe-binary.js';
import type { Section } from './description.js';

export interface Wrapped {
  readonly sections: readonly Section[];
  /** One a node that has a binary: what is in it, or why that is not known. */
  readonly binaries: readonly (Omit<ContextBinary, 'path'> | { readonly unread: string })[];
}

export async function describeWrapped(path: string, nodes: readonly EpContextInfo[]): Promise<Wrapped> {
  const binaries: Wrapped['binaries'][number][] = [];
  for (const { binary } of nodes) if (binary !== null) binaries.push(await readBinary(path, binary));
  const lines = nodes.map(({ partition, isMain, binary, source, sdkVersion }) => `${partition}  ${source} ${sdkVersion}  ${isMain ? placeOf(binary) : 'binary of another node'}`);
  const unread = binaries.flatMap((binary) => ('unread' in binary ? [binary.unread] : []));
  return {
    sections: [{ title: 'compiled graphs', lines: [...lines, ...new Set(unread)] }, ...binaries.flatMap((binary) => ('unread' in binary ? [] : binary.graphs.flatMap(graphSections)))],
    binaries,
  };
}

function placeOf(binary: EpContextInfo['binary']): string {
  if (binary === null) return 'no binary';
  return 'path' in binary ? `in ${binary.path}` : `inside, ${formatBytes(binary.bytes)} at ${binary.offset}`;
}

async function readBinary(path: string, binary: NonNullable<EpContextInfo['binary']>): Promise<Wrapped['binaries'][number]> {
  const [libraries] = findLibraries(qairtPlaces());
  if (libraries === undefined) return { unread: 'not read further: the vendor\'s libraries are not installed' };
  if ('path' in binary) {
    // Runtimes refuse a path that leads out of the folder, and so does this.
    const inside = normalize(binary.path);
    if (inside.startsWith('..') || inside.startsWith('/')) return { unread: `not read further: ${binary.path} leads out of the folder` };
    const file = join(dirname(path), inside);
    return existsSync(file) ? withoutPath(await inspectContextBinary(file, libraries)) : { unread: `not read further: ${binary.path} is not there` };
  }
  if (binary.bytes === 0) return { unread: 'not read further: the binary inside is empty' };
  const folder = mkdtempSync(join(tmpdir(), 'tundish-inspect-'));
  try {
    const copy = join(folder, 'context.bin');
    await pipeline(createReadStream(path, { start: binary.offset, end: binary.offset + binary.bytes - 1 }), createWriteStream(copy));
    return withoutPath(await inspectContextBinary(copy, libraries));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of a copy the path says nothing. */
function withoutPath(binary: ContextBinary): Omit<ContextBinary, 'path'> {
  const { form, bytes, buildId, backendId, coreApi, backendApi, contextBlobVersion, blobBytes, socModel, hexagon, contextTensors, graphs } = binary;
  return { bytes, form, buildId, backendId, coreApi, backendApi, contextBlobVersion, blobBytes, socModel, hexagon, contextTensors, graphs };
}
