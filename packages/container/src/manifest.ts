/** manifest.json: everything that a runtime must know about a container, and the digest of every file in it. */

export const MANIFEST_SCHEMA = 1;
export const MANIFEST_FILE = 'manifest.json';

export type ContainerIoType = 'float32' | 'float16' | 'uint8' | 'uint16' | 'int32';

/** One input or output of a graph. Quantized tensors carry real = (code - zeroPoint) * scale, with headScales[i] in place of `scale` in slice i along axis 0; codes of an input are rounded half to even, or down. */
export interface ContainerTensor {
  readonly name: string;
  readonly dtype: ContainerIoType;
  readonly shape: readonly number[];
  readonly quantization?: { readonly scale: number; readonly zeroPoint: number; readonly headScales?: readonly number[]; readonly rounding?: 'down' };
}

/** One graph: AR tokens a pass, CL positions of attention, part `part` of `parts` (1-based). */
export interface ContainerGraph {
  /** `ar{AR}_cl{CL}_{part}_of_{parts}`. */
  readonly name: string;
  readonly cell: { readonly ar: number; readonly cl: number; readonly part: number; readonly parts: number };
  readonly inputs: readonly ContainerTensor[];
  readonly outputs: readonly ContainerTensor[];
}

/** What one compiled part consists of. */
export interface ContainerPart {
  /** 1-based. */
  readonly part: number;
  /** The files of the part: the name under which the toolchain opens each, and its path in the container. */
  readonly files: readonly { readonly name: string; readonly path: string }[];
  readonly graphs: readonly ContainerGraph[];
}

export interface ContainerArchitecture {
  /** `model_type` of config.json. */
  readonly modelType: string;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly feedForwardSize: number;
}

/** cos and sin of position p, pair i: cos|sin(p * inverseFrequencies[i]) * attentionScaling, in float64. */
export interface ContainerRope {
  /** R/2 values, R = rotary dimensions. */
  readonly inverseFrequencies: readonly number[];
  readonly attentionScaling: number;
}

/** Sampling where the caller states nothing. Temperature 0 is greedy; topK 0, topP 1 and repetitionPenalty 1 are off. */
export interface GenerationDefaults {
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly repetitionPenalty: number;
}

export interface FileDigest {
  /** 64 lower-case hexadecimal digits. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

/** The manifest without the file table: what `writeContainerManifest` takes. */
export interface ManifestFacts {
  readonly model: string;
  /** Identity of the toolchain that compiled the parts; the runtime opens them with the toolchain of this name. */
  readonly toolchain: { readonly name: string; readonly version: string; readonly machine: string; readonly operators: string };
  readonly architecture: ContainerArchitecture;
  readonly vocabularySize: number;
  /** Ascending; every AR exists with every CL. */
  readonly contextLengths: readonly number[];
  /** Ascending. */
  readonly ars: readonly number[];
  readonly parts: readonly ContainerPart[];
  readonly rope: ContainerRope;
  /** Additive value of a masked position, negative, before quantization. */
  readonly maskValue: number;
  /** Token ids; null when the checkpoint has none. */
  readonly tokens: { readonly bos: number | null; readonly eos: readonly number[]; readonly pad: number | null };
  readonly generation: GenerationDefaults;
  /** Digest of the stage.json of each stage that led here, by stage or `stage/subject`. */
  readonly provenance: Readonly<Record<string, string>>;
}

export interface Manifest extends ManifestFacts {
  readonly schema: typeof MANIFEST_SCHEMA;
  /** Every other file of the container by its path, sorted. */
  readonly files: Readonly<Record<string, FileDigest>>;
}

/** `ar128_cl4096_1_of_3`. */
export function containerGraphName(cell: ContainerGraph['cell']): string {
  return `ar${cell.ar}_cl${cell.cl}_${cell.part}_of_${cell.parts}`;
}
