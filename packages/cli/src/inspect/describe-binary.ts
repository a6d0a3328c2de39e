/** Context binaries and deep learning containers of the vendor: what its System library, and the archive itself, say. */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { TundishError, formatBytes, textTable } from '@tundish/diagnostics';
import { type Chip, chipBySoc } from '@tundish/recipe/chips';
import { type BinaryGraph, type BinaryTensor, type ContextBinary, dlcGraphs, encodingText, findLibraries, hasLibrary, inspectContextBinary, inspectDlc, onnxSketch, requireLibraries } from '@tundish/toolchain-qairt';
import { qairtPlaces } from '../environment.js';
import { cliError } from '../errors.js';
import { type Description, type Section, shapeText } from './description.js';

/** @throws QAIRT_LIBRARY_MISSING, QAIRT_BINARY_DAMAGED and the other errors of `inspectContextBinary` */
export async function describeContextBinary(path: string): Promise<Description> {
  const { bytes, ...binary } = await inspectContextBinary(path, requireLibraries(qairtPlaces()));
  const facts = binaryFacts(binary);
  return {
    kind: 'context binary', path, bytes, facts,
    sections: binary.graphs.flatMap(graphSections),
    data: { ...binary, chip: chipOf(binary)?.name ?? null },
    sketch: () => onnxSketch({ name: basename(path), operator: 'ContextBinaryGraph', graphs: binary.graphs, facts }),
  };
}

/** The archive by itself; its graphs where the vendor's libraries are here and compose them. @throws QAIRT_DLC_DAMAGED */
export async function describeDlc(path: string): Promise<Description> {
  const dlc = await inspectDlc(path);
  const read = await readGraphs(path);
  const facts = [...dlc.models.map(({ entry, major, minor, root }) => [entry, `version ${major}.${minor}, ${root}`] as const), ...Object.entries(dlc.metadata)];
  return {
    kind: 'deep learning container',
    path,
    bytes: statSync(path).size,
    facts,
    sections: [
      { title: 'entries', lines: textTable(['name', 'size'], dlc.entries.map(({ name, bytes }) => [name, formatBytes(bytes)]), [false, true]) },
      ...('unread' in read ? [{ title: 'graphs', lines: [read.unread] }] : read.graphs.flatMap(graphSections)),
    ],
    data: { ...dlc, ...read },
    sketch: () => {
      if ('unread' in read) throw cliError('CLI_INSPECT_SKETCH', { what: 'the graphs of the container cannot be drawn', why: read.unread, evidence: { path } });
      return onnxSketch({ name: basename(path), operator: 'ContainerGraph', graphs: read.graphs, facts });
    },
  };
}

/** What the archive says stays true when its graphs cannot be read. */
async function readGraphs(path: string): Promise<{ readonly graphs: readonly BinaryGraph[] } | { readonly unread: string }> {
  const [libraries] = findLibraries(qairtPlaces());
  if (libraries === undefined || !hasLibrary(libraries, 'ir')) return { unread: 'not read: the vendor\'s libraries are not installed' };
  try {
    return { graphs: await dlcGraphs(path, libraries) };
  } catch (error) {
    if (error instanceof TundishError) return { unread: `not read: ${error.code}: ${error.what}${error.why === undefined ? '' : `, ${error.why}`}` };
    throw error;
  }
}

function chipOf({ socModel }: Pick<ContextBinary, 'socModel'>): Chip | undefined {
  return socModel === null ? undefined : chipBySoc(socModel);
}

function binaryFacts(binary: Omit<ContextBinary, 'bytes'>): [string, string][] {
  const chip = chipOf(binary);
  return [
    ['chip', binary.socModel === null ? 'not stated' : `${chip === undefined ? '' : `${chip.name}, `}SoC id ${binary.socModel}${binary.hexagon === null ? '' : `, Hexagon v${binary.hexagon}`}`],
    ['build', binary.buildId],
    ['versions', `core ${binary.coreApi}, backend ${binary.backendId} ${binary.backendApi}, context blob ${binary.contextBlobVersion}, form ${binary.form}`],
    ['blob', formatBytes(binary.blobBytes)],
    ['graphs', binary.graphs.map(({ name }) => name).join(', ')],
  ];
}

/** A section a graph: memory, inputs, outputs. */
export function graphSections({ name, inputs, outputs, memory }: BinaryGraph): Section[] {
  const facts = memory === null ? [] : [
    `VTCM ${formatBytes(memory.vtcmBytes)}, optimization ${memory.optimizationLevel}, spill-fill ${formatBytes(memory.spillFillBytes)}`,
    `inputs and outputs ${formatBytes(memory.ioBytes)}, run list ${formatBytes(memory.runListBytes)}, constants ${formatBytes(memory.constantBytes)}, shared weights ${formatBytes(memory.sharedWeightBytes)}`,
  ];
  const rows = [...inputs.map((tensor) => tensorRow('in', tensor)), ...outputs.map((tensor) => tensorRow('out', tensor))];
  return [{ title: `graph ${name}`, lines: [...facts, ...textTable(['', 'tensor', 'type', 'shape', 'encoding'], rows)] }];
}

function tensorRow(side: string, { name, dtype, shape, quantization }: BinaryTensor): string[] {
  return [side, name, dtype, shapeText(shape), quantization === null ? '' : encodingText(quantization)];
}
