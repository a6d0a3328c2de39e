/**
 * The port that every toolchain implements: from an adapted graph with encodings to something that executes.
 * Nothing here assumes ONNX Runtime, and no file format crosses it but named bytes.
 */
import type { GenieFacts } from '@tundish/container';
import type { Reporter } from '@tundish/diagnostics';
import type { Encodings, Model } from '@tundish/graph';

/** Maps the logical file names inside a graph (`ExternalTensor.location`) to absolute paths. */
export type FileResolver = (location: string) => string;

/** What runs a stage, as far as it can change a result: part of every action key. */
export interface ToolchainIdentity {
  /** `host` or `qairt`. */
  readonly name: string;
  /** Version or build id of the libraries that do the work, for example `onnxruntime 1.30.0`. Pinned in the lock file. */
  readonly version: string;
  /** Properties of this machine on which the bytes of `compile` depend, for example `linux-x64 avx512`; empty when none. Operators of its own are not among them. */
  readonly machine: string;
  /** Operators beyond the standard that `convert` may put into a graph, by name and version; empty when none. */
  readonly operators: string;
}

/** One graph of the plan: AR tokens a pass, CL positions of attention, part `part` of `parts` (1-based). */
export interface CellId {
  readonly ar: number;
  readonly cl: number;
  readonly part: number;
  readonly parts: number;
}

/** `ar128_cl4096_1_of_3`: the name of a graph, which runtimes parse. */
export function graphName(cell: CellId): string {
  return `ar${cell.ar}_cl${cell.cl}_${cell.part}_of_${cell.parts}`;
}

/** Hard limits that a plan is held against before any work. Absent means unlimited. */
export interface ToolchainLimits {
  /** Largest size of one compiled part, bytes. */
  readonly partBytes?: number;
  /** Largest number of graphs in one part. */
  readonly graphsPerPart?: number;
  /** Schemes of weights that can be compiled. */
  readonly weightSchemes?: readonly ('lpbq' | 'per_channel' | 'per_block')[];
  /** Block sizes of weights that can be compiled. */
  readonly blockSizes?: readonly number[];
}

/** Element types of a compiled graph's inputs and outputs; `float16` is IEEE 754 binary16. */
export type IoType = 'float32' | 'float16' | 'uint8' | 'uint16' | 'int32';

/**
 * One input or output of a compiled graph. Quantized tensors carry real = (code - zeroPoint) * scale; slice i along axis 0 of
 * a cache with `headScales` has the scale headScales[i], and `scale` is the largest of them. Who encodes an input rounds half to
 * even, or, with `rounding: 'down'`, to the code below, as a vendor's runner does it.
 */
export interface IoTensor {
  readonly name: string;
  readonly dtype: IoType;
  readonly shape: readonly number[];
  readonly quantization?: { readonly scale: number; readonly zeroPoint: number; readonly headScales?: readonly number[]; readonly rounding?: 'down' };
}

/** Inputs and outputs of one graph in their declared order. */
export interface GraphIo {
  /** The name by `graphName`. */
  readonly name: string;
  readonly cell: CellId;
  readonly inputs: readonly IoTensor[];
  readonly outputs: readonly IoTensor[];
}

/**
 * A file of a result: small ones as bytes, large ones already on disk (the caller moves them into the store), and weight files
 * of the request that are part of the result as they are.
 */
export interface ProducedFile {
  /** Relative name, unique inside the result, for example `part1.data`. */
  readonly name: string;
  readonly content: { readonly bytes: Uint8Array } | { readonly path: string } | { readonly location: string };
}

export interface ToolchainContext {
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
  /** An empty folder that the caller removes afterwards, also after a failure. */
  readonly scratch: string;
}

export interface ConvertRequest {
  readonly cell: CellId;
  readonly model: Model;
  /** Absent for a floating-point build; without activations when only weights are quantized. */
  readonly encodings?: Encodings;
  /** Options of the recipe's convert stage, already validated by `convertOptions`. */
  readonly options: Readonly<Record<string, unknown>>;
}

export interface ConvertResult {
  readonly io: GraphIo;
  /** The toolchain's own form of the graph; weights stay byte ranges of the files named by the model. */
  readonly files: readonly ProducedFile[];
}

export interface CompileRequest {
  readonly part: number;
  readonly parts: number;
  /** The converted graphs of this part, AR ascending, then CL ascending. */
  readonly graphs: readonly { readonly io: GraphIo; readonly files: ReadonlyMap<string, string> }[];
  /** Resolves the weight files that the converted graphs refer to. */
  readonly resolve: FileResolver;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface CompileResult {
  readonly graphs: readonly GraphIo[];
  /** Everything that executing this part needs; weights shared by its graphs appear once. */
  readonly files: readonly ProducedFile[];
}

/** Tensor data by input or output name: typed arrays of the declared element type, row-major; those of float16 hold its bits. */
export type TensorData = Float32Array | Uint8Array | Uint16Array | Int32Array;

/** An opened part. Calls are serialised by the caller. */
export interface Executable {
  readonly graphs: readonly GraphIo[];
  /** Makes the first run of a graph as fast as later ones: a toolchain may open each graph when it is first needed. */
  prepare(graph: string): Promise<void>;
  /**
   * Runs one graph. Inputs are read and stay as they are; those in shared memory (SharedArrayBuffer) may be read where they lie,
   * whatever thread does the work, so the caller leaves them alone until the call settles. Outputs are new arrays.
   *
   * @param outputs names to return; all when absent
   */
  run(graph: string, inputs: ReadonlyMap<string, TensorData>, outputs?: readonly string[]): Promise<Map<string, TensorData>>;
  close(): Promise<void>;
}

export interface OpenRequest {
  /** The graphs as `compile` returned them. */
  readonly graphs: readonly GraphIo[];
  /** Absolute path of each file of the compile result by its name. */
  readonly files: ReadonlyMap<string, string>;
  /** Threads that one run may use. Never changes a result. */
  readonly threads: number;
}

/** What the configurations of the target's own runtime are written from. */
export interface BundleRequest {
  readonly model: string;
  /** `w4a16`, ... */
  readonly precision: string;
  /** In the order of execution. Equal requests give equal files. */
  readonly parts: readonly { readonly file: string; readonly bytes: number; readonly graphs: readonly GraphIo[] }[];
  readonly checkpoint: Pick<GenieFacts, 'vocabularySize' | 'headDim' | 'tokens' | 'rope'>;
  readonly generation: GenieFacts['generation'];
  readonly seed: number;
  /** Files of the checkpoint that go along as they are, with their sizes; the tokenizer is among them. */
  readonly carried: ReadonlyMap<string, number>;
  readonly tokenizer: string;
  /** Version by tool. */
  readonly toolVersions: Readonly<Record<string, string>>;
  /** Options that the parts were compiled with. */
  readonly compile: Readonly<Record<string, unknown>>;
  /** Options of the recipe's package stage. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** A small file of a bundle, by its path there. */
export interface BundleFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A compiler and an executor for one kind of target. */
export interface Toolchain {
  readonly name: string;
  /** @throws TundishError when its libraries are not there */
  identity(): Promise<ToolchainIdentity>;
  /**
   * What `identity` would say with libraries of this version, where none are on this machine, and undefined where some are: results of
   * other machines are then found by their keys, and what needs the libraries says so. Absent for a toolchain whose bytes depend on the machine.
   */
  readonly absent?: (version: string) => ToolchainIdentity | undefined;
  limits(): ToolchainLimits;
  /**
   * Modules (file URLs) that make the bytes of convert and compile. They are not loaded: their content, and that of what they
   * import, is part of the keys, so that a changed adapter never meets an old result.
   */
  readonly modules: { readonly convert: readonly URL[]; readonly compile: readonly URL[]; readonly package: readonly URL[] };
  convert(context: ToolchainContext, request: ConvertRequest): Promise<ConvertResult>;
  compile(context: ToolchainContext, request: CompileRequest): Promise<CompileResult>;
  open(request: OpenRequest): Promise<Executable>;
  /** Configurations of a runtime that the target has, which lie beside those of a container; absent where there is none. */
  readonly bundle?: (request: BundleRequest) => Promise<readonly BundleFile[]>;
}

/** An adapted graph opened in floating point. */
export interface OpenedModel {
  run(inputs: ReadonlyMap<string, TensorData>, outputs?: readonly string[]): Promise<Map<string, TensorData>>;
  close(): Promise<void>;
}

export interface OpenModelRequest {
  readonly model: Model;
  readonly resolve: FileResolver;
  readonly threads: number;
  /**
   * Encodings of quantized weights, by name. Those weights may be multiplied as codes, with float32 accumulation: a few bits
   * an element in memory instead of 32, and another order of summation. Without it every weight is widened.
   */
  readonly parameters?: Encodings['parameters'];
}

/**
 * Executes any valid graph as it stands, in float32 where the graph says so: the reference that results are held against,
 * and the engine of calibration. Weights are mapped, not copied, as far as their type allows.
 */
export interface ReferenceExecutor {
  /** Part of the key of everything that is measured with it. */
  identity(): Promise<ToolchainIdentity>;
  /** Modules that compute, as `Toolchain.modules`. */
  readonly modules: readonly URL[];
  open(request: OpenModelRequest): Promise<OpenedModel>;
}
