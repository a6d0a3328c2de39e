/** ONNX Runtime through the addon, with the operators of domain `tundish`, which compute on codes. */
import { messageOf } from '@tundish/diagnostics';
import { builtAddonPath, openAddon } from './addon.js';

/**
 * Name and version of the operators, for keys and manifests. Their results are the same on every CPU: sums of integers,
 * rounded once (`CodeLinear`, `CodeMatMul`), or what a Hexagon processor makes of the same codes (`Htp...`).
 * src/onnx/operators.h and src/onnx/htp_operators.h have their signatures.
 */
export const OPERATORS = 'tundish-operators-3';

export type OnnxData = Float32Array | Uint16Array | Uint8Array | Int32Array;

/** A tensor in memory of the caller; it is neither copied nor kept. */
export interface OnnxFeed {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: OnnxData;
}

export interface OnnxSessionOptions {
  /** Threads of one run. */
  readonly threads: number;
  /** Optimizations of level `basic`, else none. */
  readonly optimize: boolean;
  /** Keep memory between runs. */
  readonly arena: boolean;
  /** Whether the graph imports domain `tundish`; one that does not is saved as if the domain were not there. */
  readonly operators: boolean;
  /** Where the optimized graph is written. */
  readonly saveAs?: string;
  /** Configuration entries of ONNX Runtime by their dotted keys. */
  readonly entries: Readonly<Record<string, string>>;
}

/** Calls block the thread that makes them; failures are Errors with the words of ONNX Runtime. */
export interface OnnxSession {
  run(feeds: readonly OnnxFeed[], fetches: readonly string[]): { readonly name: string; readonly data: OnnxData }[];
  release(): void;
}

export interface OnnxRuntime {
  /** Version of the library, for example `1.30.0`. */
  readonly version: string;
  createSession(model: Uint8Array, options: OnnxSessionOptions): OnnxSession;
}

/** @param library path of the shared library of ONNX Runtime, 1.20 or later; the first one that a process opens serves it all */
export function openOnnxRuntime(library: string): { readonly runtime: OnnxRuntime } | { readonly reason: string } {
  const opened = openAddon(builtAddonPath());
  if ('reason' in opened) return opened;
  try {
    return { runtime: opened.addon.openOnnxRuntime(library) };
  } catch (error) {
    return { reason: messageOf(error) };
  }
}
