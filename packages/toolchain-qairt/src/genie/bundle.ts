/** A bundle as its reader sees it: files, configuration texts, and the graphs of each context binary. */

/** An input or output of a graph in a context binary. */
export interface BundleTensor {
  readonly name: string;
  /** `uint8`, `int8`, `uint16`, `int16`, `int32`, `float16`, `float32`; others as the binary names them. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** real = (code - zeroPoint) * scale; absent for floats and token ids. */
  readonly quantization?: { readonly scale: number; readonly zeroPoint: number };
}

export interface BundleGraph {
  readonly name: string;
  /** In their declared order. */
  readonly inputs: readonly BundleTensor[];
  readonly outputs: readonly BundleTensor[];
}

/** One context binary; `bundleBinary` makes it from what inspection says. */
export interface BundleBinary {
  /** SoC id that it was compiled for; null in binaries that state none. */
  readonly socModel: number | null;
  readonly graphs: readonly BundleGraph[];
}

/** A bundle, ours or foreign. Paths are relative to its folder, with forward slashes. */
export interface Bundle {
  /** Every file with its size in bytes. */
  readonly files: ReadonlyMap<string, number>;
  /** Text of genie_config.json and of the file that it names as extensions, as far as they exist. */
  readonly texts: ReadonlyMap<string, string>;
  /** The context binaries that the configuration names and that exist. */
  readonly binaries: ReadonlyMap<string, BundleBinary>;
}

export const GENIE_CONFIG_FILE = 'genie_config.json';
