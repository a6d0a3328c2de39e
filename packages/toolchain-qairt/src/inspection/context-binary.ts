/** What a context binary holds, as plain data: any binary of the vendor's compiler, ours or not. */
import { statSync } from 'node:fs';
import type { QnnBinaryInfo, QnnGraphInfo, QnnGraphMemory, QnnReadQuantization, QnnTensorInfo } from '@tundish/native/qnn';
import { withChild } from '../child/child.js';
import { childOptionsOf } from '../libraries/describe.js';
import { type QairtLibraries, libraryPath } from '../libraries/find.js';
import { elementName } from './element-types.js';

/** Real value = (code + offset) * scale: an offset is the negative zero point. Lists are one a slice along `axis`. */
export type BinaryQuantization =
  | { readonly kind: 'scale_offset'; readonly scale: number; readonly offset: number }
  | { readonly kind: 'bitwidth'; readonly bits: number; readonly scale: number; readonly offset: number }
  | { readonly kind: 'axis' | 'bitwidth_axis' | 'blockwise' | 'block'; readonly axis: number | null; readonly bits: number | null; readonly blocks: number | null; readonly scales: readonly number[]; readonly offsets: readonly number[] | null }
  | { readonly kind: 'other'; readonly encoding: number };

export interface BinaryTensor {
  readonly name: string;
  /** `UFIXED_POINT_16` */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Null for tensors that carry no encoding. */
  readonly quantization: BinaryQuantization | null;
}

export interface BinaryGraph {
  readonly name: string;
  /** In the order in which the graph takes and gives them. */
  readonly inputs: readonly BinaryTensor[];
  readonly outputs: readonly BinaryTensor[];
  /** Null in binaries of builds that kept none. */
  readonly memory: QnnGraphMemory | null;
}

export interface ContextBinary {
  readonly path: string;
  readonly bytes: number;
  /** Form of the description: 1 (until 2.22 or so), 2 or 3. */
  readonly form: number;
  readonly buildId: string;
  /** 6 for HTP. */
  readonly backendId: number;
  readonly coreApi: string;
  readonly backendApi: string;
  readonly contextBlobVersion: string;
  readonly blobBytes: number;
  /** SoC id of the chip that the binary was compiled for; null in binaries that state none. */
  readonly socModel: number | null;
  /** Hexagon version, 79 for v79; null likewise. */
  readonly hexagon: number | null;
  readonly contextTensors: readonly BinaryTensor[];
  readonly graphs: readonly BinaryGraph[];
}

/**
 * Reads a binary through the System library, in a process of its own.
 *
 * @throws QAIRT_BINARY_DAMAGED, QAIRT_FILE and the other errors of `Child.call`
 */
export async function inspectContextBinary(path: string, libraries: QairtLibraries, signal?: AbortSignal): Promise<ContextBinary> {
  const info = await readBinaryInfo(path, libraries, signal);
  return describeBinary(path, statSync(path).size, info);
}

async function readBinaryInfo(path: string, libraries: QairtLibraries, signal: AbortSignal | undefined): Promise<QnnBinaryInfo> {
  return withChild({ ...childOptionsOf(libraries), ...(signal === undefined ? {} : { signal }) }, (child) => child.call('inspect', { systemLibrary: libraryPath(libraries, 'system'), path }, { subject: path }));
}

function describeBinary(path: string, bytes: number, info: QnnBinaryInfo): ContextBinary {
  const { version, buildId, backendId, coreApi, backendApi, contextBlobVersion, blobBytes, socModel, architecture } = info;
  return {
    path, bytes, form: version, buildId, backendId, coreApi, backendApi, contextBlobVersion, blobBytes,
    socModel: socModel ?? null,
    hexagon: architecture ?? null,
    contextTensors: info.contextTensors.map(describeTensor),
    graphs: info.graphs.map(describeGraph),
  };
}

/** What the libraries say of one graph, as plain data. */
export function describeGraph({ name, inputs, outputs, memory }: QnnGraphInfo): BinaryGraph {
  return { name, inputs: inputs.map(describeTensor), outputs: outputs.map(describeTensor), memory: memory ?? null };
}

function describeTensor({ name, element, dims, quantization }: QnnTensorInfo): BinaryTensor {
  return { name, dtype: elementName(element), shape: [...dims], quantization: quantization === undefined ? null : describeQuantization(quantization) };
}

function describeQuantization(from: QnnReadQuantization): BinaryQuantization {
  if (from.kind === 'scale_offset' || from.kind === 'bitwidth' || from.kind === 'other') return from;
  return {
    kind: from.kind,
    axis: 'axis' in from ? from.axis : null,
    bits: 'bits' in from ? from.bits : null,
    blocks: 'blocks' in from ? from.blocks : null,
    scales: [...from.scales],
    offsets: from.offsets === undefined ? null : [...from.offsets],
  };
}
