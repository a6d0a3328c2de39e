/** What a stage is: requires, run, ensures; and what it gets and gives. */
import type { Reporter } from '@tundish/diagnostics';
import type { ReferenceExecutor, Toolchain, ToolchainIdentity } from '@tundish/toolchain';
import type { StageName } from '@tundish/recipe/lock';
import type { JsonValue, StageManifest } from '@tundish/store';

export type { StageName };

/** What the surface supplies: stages know ports, never an adapter. */
export interface Adapters {
  /** @throws TundishError for a name that the surface does not know */
  readonly toolchain: (name: string) => Toolchain;
  /** Executes graphs in floating point for calibration. */
  readonly reference: () => ReferenceExecutor;
}

/** What every stage works with. A stage never prints, never reads the environment, never looks at the clock. */
export interface StageContext {
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
  readonly adapters: Adapters;
  /** Empty folder on the store's file system; removed afterwards. */
  readonly scratch: string;
  /** Threads that numeric work may use; never changes a result. */
  readonly threads: number;
  /** The checkpoint's folder, for stages whose files still lie there. */
  readonly checkpoint: () => Promise<string>;
  /** Absolute path of a file that the recipe names, relative to the model project. */
  readonly projectFile: (relative: string) => string;
  /** A piece of the work under a key of its own: found, or made in an empty folder and kept, also when the stage fails later. */
  readonly piece: (request: PieceRequest, make: (scratch: string) => Promise<readonly StageFile[]>) => Promise<Piece>;
}

/** What decides the result of a piece, beside the code of the stage and the machine. */
export interface PieceRequest {
  /** Names its cache entries, for example `quantize-block`. */
  readonly operation: string;
  /** Which piece it is, for example `block-3`. */
  readonly name: string;
  /** The options that it reads, plain JSON data. */
  readonly options: Readonly<Record<string, JsonValue>>;
  /** sha256 of each thing that it reads, by name. */
  readonly digests: Readonly<Record<string, string>>;
}

/** The files of a finished piece, by the names that they were made under. */
export interface Piece {
  /** What hands a file on as an output. */
  ref(name: string): { readonly sha256: string; readonly size: number };
  /** Where a file lies in the store: it is fetched when another machine made it and nobody here has read it. */
  path(name: string): Promise<string>;
}

/** The result of an earlier stage with its files on disk. */
export interface StageInput {
  readonly manifest: StageManifest;
  /** Absolute path of an output by its name. @throws STAGE_OUTPUT_UNKNOWN */
  path(name: string): string;
  /** Absolute path of any file that graphs of this stage refer to: its own outputs and its externals. */
  resolve(location: string): string;
}

/** A file that a stage made: bytes, a file in its scratch folder, or an output of an earlier stage handed on unchanged. */
export type StageFile =
  | { readonly name: string; readonly mediaType: string; readonly bytes: Uint8Array }
  | { readonly name: string; readonly mediaType: string; readonly path: string }
  | { readonly name: string; readonly mediaType: string; readonly from: { readonly sha256: string; readonly size: number } };

export interface StageResult {
  readonly files: readonly StageFile[];
  /** Weight files that the stage's graphs refer to and that it did not make. */
  readonly externals?: StageManifest['externals'];
  readonly facts?: Readonly<Record<string, JsonValue>>;
}

/** What the planner knows of one unit of work. */
export interface StageRequest<Options> {
  readonly options: Options;
  /** The cell, part or pair; null for a stage of the whole model. */
  readonly subject: string | null;
  /** Results of earlier stages by unit name, for example `quantize` or `convert/ar1-cl512-1of2`. */
  readonly inputs: ReadonlyMap<string, StageInput>;
  /** Digests of the checkpoint's files, for stages that read it. */
  readonly source: ReadonlyMap<string, { readonly sha256: string; readonly size: number }>;
  readonly toolchain: ToolchainIdentity | undefined;
}

/** One stage of the pipeline. `requires` and `ensures` throw a TundishError that says which promise is broken. */
export interface Stage<Options> {
  readonly name: string;
  requires(request: StageRequest<Options>): void;
  run(context: StageContext, request: StageRequest<Options>): Promise<StageResult>;
  ensures(result: StageResult, request: StageRequest<Options>): void;
}

/** Media types of stage outputs. */
export const MEDIA = {
  onnx: 'application/onnx',
  json: 'application/json',
  weights: 'application/octet-stream',
  text: 'text/plain',
} as const;
