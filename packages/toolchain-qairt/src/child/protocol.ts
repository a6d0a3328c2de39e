/** What parent and child say to each other: one request, one reply, in order. Handles are numbers that the child gave out. */
import type { QnnBinaryInfo, QnnData, QnnGraphInfo, QnnGraphOptions, QnnLogLine, QnnOperation, QnnTensor, QnnTensorInfo } from '@tundish/native/qnn';
import type { QnnGraphPlan } from '../compose/plan.js';
import { DIALOG_DEADLINE_MS, type DialogCalls } from './dialog-calls.js';

/** Both sides must have the same: they may come from two installations. */
export const PROTOCOL = 2;

/** Least important level that is logged where nobody wants to read along. */
export const ERRORS_ONLY = 1;

/** A backend library that has been opened, and its chip where it has one. */
export interface OpenBackend {
  readonly library: string;
  /** Least important level that is logged: 1 error, 2 warning, 3 info, 4 verbose, 5 debug. */
  readonly logLevel: number;
  /** SoC id; absent for a backend without a device. */
  readonly soc?: number;
}

export interface BackendInfo {
  /** 6 for HTP. */
  readonly id: number;
  readonly name: string;
  readonly coreApi: string;
  readonly backendApi: string;
  readonly buildId: string;
}

/** A whole graph; constants may be ranges of files, which are mapped. */
export interface ComposeGraph {
  readonly context: number;
  readonly name: string;
  readonly options: QnnGraphOptions;
  /** Inputs and outputs in the order in which the graph shall have them. */
  readonly tensors: readonly QnnTensor[];
  readonly operations: readonly QnnOperation[];
}

/** A graph from the composer, whose weights are read where they are needed. */
export interface ComposePlan {
  readonly context: number;
  readonly plan: QnnGraphPlan;
  /** Absolute paths of the weight files that the plan refers to, by logical name. */
  readonly paths: Readonly<Record<string, string>>;
  readonly options: QnnGraphOptions;
}

/** Every call: what it takes, what it gives. */
export interface Calls extends DialogCalls {
  readonly openBackend: { readonly input: OpenBackend; readonly output: BackendInfo };
  /** Names of the operations that the backend lists. */
  readonly operations: { readonly input: Record<string, never>; readonly output: string[] };
  readonly createContext: { readonly input: { readonly weightSharing: boolean }; readonly output: number };
  /** Its graphs come from `openGraph`, with what `inspect` says of them. */
  readonly loadContext: { readonly input: { readonly path: string }; readonly output: number };
  readonly freeContext: { readonly input: { readonly context: number }; readonly output: null };
  readonly composeGraph: { readonly input: ComposeGraph; readonly output: number };
  readonly composePlan: { readonly input: ComposePlan; readonly output: number };
  /** A graph of a loaded binary or a composed container, with the tensors that its description gave. */
  readonly openGraph: { readonly input: { readonly context: number; readonly name: string; readonly inputs: readonly QnnTensorInfo[]; readonly outputs: readonly QnnTensorInfo[] }; readonly output: number };
  readonly composeDlc: { readonly input: { readonly context: number; readonly systemLibrary: string; readonly path: string }; readonly output: QnnGraphInfo[] };
  /** The library's code about one operation over the tensors of a composed graph, 0 for yes: a lint, no proof. */
  readonly validate: { readonly input: { readonly graph: number; readonly operation: QnnOperation }; readonly output: number };
  readonly finalize: { readonly input: { readonly graph: number }; readonly output: null };
  /** Writes a file that does not exist yet; gives its bytes. */
  readonly writeBinary: { readonly input: { readonly context: number; readonly path: string }; readonly output: number };
  /** Outputs as bytes, which may lie at any place of their buffer: `elementsOf` makes arrays of them. */
  readonly execute: { readonly input: { readonly graph: number; readonly inputs: Readonly<Record<string, QnnData>> }; readonly output: Record<string, Uint8Array> };
  readonly inspect: { readonly input: { readonly systemLibrary: string; readonly path: string }; readonly output: QnnBinaryInfo };
  readonly systemVersion: { readonly input: { readonly library: string }; readonly output: string };
  readonly genieVersion: { readonly input: { readonly library: string }; readonly output: string };
}

export type CallName = keyof Calls;

/** What a call may take when the caller says nothing, ms. Finalizing is the one that takes minutes. */
export const DEADLINE_MS: Readonly<Record<CallName, number>> = {
  openBackend: 60_000,
  operations: 60_000,
  createContext: 60_000,
  loadContext: 120_000,
  freeContext: 60_000,
  composeGraph: 120_000,
  composePlan: 300_000,
  openGraph: 60_000,
  composeDlc: 300_000,
  validate: 60_000,
  finalize: 1_800_000,
  writeBinary: 300_000,
  execute: 600_000,
  inspect: 60_000,
  systemVersion: 60_000,
  genieVersion: 60_000,
  ...DIALOG_DEADLINE_MS,
};

export interface Request {
  readonly protocol: number;
  readonly id: number;
  readonly call: string;
  readonly input: unknown;
}

/** What failed, in the words of the addon. */
export interface CallFailure {
  /** Function of the library, or `addon`, `load`, `version`, `arguments`, or what was done with a file. */
  readonly call: string;
  /** The library's code, negative ones are Genie's; 0 where none answered. */
  readonly result: number;
  readonly message: string;
}

/** What was said during a call: through the callback for logs, and on the streams of the process. */
export interface Said {
  readonly log: readonly QnnLogLine[];
  readonly printed: readonly string[];
}

export type Reply = { readonly protocol: number; readonly id: number } & ({ readonly output: unknown } | { readonly failure: CallFailure; readonly log: readonly QnnLogLine[] });

export function isReply(message: unknown): message is Reply {
  if (typeof message !== 'object' || message === null) return false;
  const { protocol, id, log, failure } = message as { protocol?: unknown; id?: unknown; log?: unknown; failure?: Partial<CallFailure> };
  if (protocol !== PROTOCOL || typeof id !== 'number') return false;
  return 'output' in message || (Array.isArray(log) && typeof failure?.call === 'string' && typeof failure.result === 'number' && typeof failure.message === 'string');
}
