/** Context binaries and deep learning containers of the vendor: what its System library, and the archive itself, say. */
import { statSync } from 'node:fs';
import { formatBytes, textTable } from '@tundish/diagnostics';
import { type BinaryGraph, type BinaryQuantization, type BinaryTensor, type ContextBinary, inspectContextBinary, inspectDlc, requireLibraries } from '@tundish/toolchain-qairt';
import { qairtPlaces } from '../environment.js';
import { type Description, type Section, shapeText } from './description.js';

/** @throws QAIRT_LIBRARY_MISSING, QAIRT_BINARY_DAMAGED and the other errors of `inspectContextBinary` */
export async function describeContextBinary(path: string): Promise<Description> {
  const { bytes, ...binary } = await inspectContextBinary(path, requireLibraries(qairtPlaces()));
  return { kind: 'context binary', path, bytes, facts: binaryFacts(binary), sections: binary.graphs.flatMap(graphSections), data: { ...binary } };
}

/** @throws QAIRT_DLC_DAMAGED */
export async function describeDlc(path: string): Promise<Description> {
  const dlc = await inspectDlc(path);
  return {
    kind: 'deep learning container',
    path,
    bytes: statSync(path).size,
    facts: [...dlc.models.map(({ entry, major, minor, root }) => [entry, `version ${major}.${minor}, ${root}`] as const), ...Object.entries(dlc.metadata)],
    sections: [{ title: 'entries', lines: textTable(['name', 'size'], dlc.entries.map(({ name, bytes }) => [name, formatBytes(bytes)]), [false, true]) }],
    data: { ...dlc },
  };
}

function binaryFacts(binary: Omit<ContextBinary, 'bytes'>): [string, string][] {
  return [
    ['chip', binary.socModel === null ? 'not stated' : `SoC id ${binary.socModel}${binary.hexagon === null ? '' : `, Hexagon v${binary.hexagon}`}`],
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

function encodingText(quantization: BinaryQuantization): string {
  switch (quantization.kind) {
    case 'scale_offset':
      return `scale ${quantization.scale.toPrecision(6)}, zero point ${-quantization.offset}`;
    case 'bitwidth':
      return `${quantization.bits} bits, scale ${quantization.scale.toPrecision(6)}, zero point ${-quantization.offset}`;
    case 'other':
      return `encoding ${quantization.encoding}`;
    default:
      return `${quantization.kind}, ${quantization.scales.length} scales${quantization.axis === null ? '' : ` along axis ${quantization.axis}`}${quantization.blocks === null ? '' : `, ${quantization.blocks} blocks each`}`;
  }
}
