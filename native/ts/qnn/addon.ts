/**
 * Opens tundish-qnn.node, our own minimal interface to the vendor's libraries. Every call blocks, and may end the process:
 * only a child process that exists for it makes one.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { messageOf, printable } from '@tundish/diagnostics';
import type { QnnBinaryInfo, QnnGraphInfo, QnnTensorInfo } from './binary-info.js';
import type { QnnDialog } from './dialog.js';
import type { QnnData, QnnGraphOptions, QnnOperation, QnnTensor } from './tensor.js';

/** Version of the calls into the addon; qnn/version.h carries the same text. */
export const QNN_ADDON_VERSION = 'tundish-qnn-2';

/** Thrown by every function below: `call` names what failed, `result` is the code of the library (negative ones are Genie's) or 0. */
export interface QnnCallError extends Error {
  readonly call: string;
  readonly result: number;
}

export interface QnnLogLine {
  /** 1 error, 2 warning, 3 info, 4 verbose, 5 debug. */
  readonly level: number;
  readonly text: string;
}

export interface QnnGraph {
  addTensor(tensor: QnnTensor): void;
  addOperation(operation: QnnOperation): void;
  /** The library's code, 0 for yes; neither sound nor complete, since it knows no shapes of kernels. Needs the device. */
  validate(operation: QnnOperation): number;
  finalize(): void;
  /** Inputs by name, dense and row-major; every output as its bytes. */
  execute(inputs: Readonly<Record<string, QnnData>>): Record<string, Uint8Array>;
}

export interface QnnContext {
  createGraph(name: string, options: QnnGraphOptions): QnnGraph;
  /** A graph of a loaded binary, with the tensors that inspection gave. */
  openGraph(name: string, inputs: readonly QnnTensorInfo[], outputs: readonly QnnTensorInfo[]): QnnGraph;
  /** Composes the graphs of a deep learning container into this context and describes them; `openGraph` gives them. */
  composeDlc(systemLibrary: string, dlc: string): QnnGraphInfo[];
  /** Writes the binary of all finalized graphs to a file that does not exist yet. @returns its bytes */
  writeBinary(path: string): number;
  free(): void;
}

export interface QnnBackend {
  readonly id: number;
  readonly name: string;
  readonly coreApi: string;
  readonly backendApi: string;
  readonly buildId: string;
  operations(): string[];
  /** Chooses the chip by its SoC id; must come before the first context. */
  createDevice(soc: number): void;
  createContext(options: { readonly weightSharing?: boolean }): QnnContext;
  loadContext(path: string): QnnContext;
  /** After all contexts are freed. */
  close(): void;
}

export interface QnnSystem {
  readonly api: string;
  inspect(path: string): QnnBinaryInfo;
}

/** What tundish-qnn.node exports. */
export interface QnnAddon {
  readonly version: string;
  /** @param logLevel least important level that is logged, 1 to 5 */
  openBackend(library: string, logLevel: number): QnnBackend;
  openSystem(library: string): QnnSystem;
  genieVersion(library: string): string;
  /** @param config text of genie_config.json; its paths are relative to the working directory */
  openDialog(library: string, config: string, logLevel: number): QnnDialog;
  /** What was logged since the last call, by any thread. */
  takeLog(): QnnLogLine[];
  /** From now on the kernel ends this process when `parent`, its parent, ends. */
  dieWithParent(parent: number): void;
}

/** Where native/build.mjs puts the addon, on Linux x86_64 alone. */
export function qnnAddonPath(): string {
  return fileURLToPath(new URL(`../../build/${process.platform}-${process.arch}/tundish-qnn.node`, import.meta.url));
}

/** Never throws: an addon that is missing, broken or of another version is reported as a reason. */
export function openQnnAddon(path: string = qnnAddonPath()): { readonly addon: QnnAddon } | { readonly reason: string } {
  if (!existsSync(path)) return { reason: process.platform === 'linux' && process.arch === 'x64' ? `no addon at ${printable(path)}; build it with \`node native/build.mjs\`` : `the vendor's libraries exist for Linux on x86_64, this is ${process.platform}-${process.arch}` };
  let loaded: unknown;
  try {
    loaded = createRequire(import.meta.url)(path);
  } catch (error) {
    return { reason: `the addon at ${printable(path)} does not load: ${printable(messageOf(error))}` };
  }
  if (!isAddon(loaded)) return { reason: `${printable(path)} is not a Tundish addon` };
  if (loaded.version !== QNN_ADDON_VERSION) return { reason: `the addon at ${printable(path)} is version ${printable(loaded.version)}, this package needs ${QNN_ADDON_VERSION}; rebuild it` };
  return { addon: loaded };
}

function isAddon(value: unknown): value is QnnAddon {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Partial<QnnAddon>;
  return typeof fields.version === 'string' && typeof fields.openBackend === 'function' && typeof fields.openSystem === 'function' && typeof fields.openDialog === 'function';
}
