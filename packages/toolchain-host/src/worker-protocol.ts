/** Messages between the thread of the caller and the thread that holds the sessions. */
import type { TensorData } from '@tundish/toolchain';

/** What a session is for, which decides how far ONNX Runtime may rewrite the graph. */
export type SessionUse =
  /** Fold constants, pack weights if asked to, save as `graph` with a data file of the relative name `data`; nothing stays open. */
  | { readonly kind: 'compile'; readonly graph: string; readonly data: string; readonly prepack: boolean }
  /** Run a compiled graph as it stands. */
  | { readonly kind: 'execute' }
  /** Run any graph; constants are folded when it is opened, dequantized weights too. */
  | { readonly kind: 'reference' };

/** Options of one session, as far as they cross threads. */
export interface SessionSpec {
  readonly model: Uint8Array;
  /** Real folder below which external data lies. */
  readonly folder: string;
  readonly threads: number;
  readonly use: SessionUse;
}

export interface Feed {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

export type Command =
  | { readonly kind: 'open'; readonly session: string; readonly spec: SessionSpec }
  | { readonly kind: 'run'; readonly session: string; readonly feeds: readonly Feed[]; readonly fetches: readonly string[] }
  | { readonly kind: 'close' };

export interface Request {
  readonly id: number;
  readonly command: Command;
}

export interface Reply {
  readonly id: number;
  /** First line of what ONNX Runtime said, when the command failed. */
  readonly failure?: string;
  readonly outputs?: readonly { readonly name: string; readonly data: TensorData }[];
  /** The feeds with their buffers, also after a failure: for the next call, or for whoever lent them. */
  readonly returned?: readonly Feed[];
}

/** Whether both threads see the memory of a tensor; all other memory has one owner at a time. */
export function isShared({ data }: { readonly data: TensorData }): boolean {
  return data.buffer instanceof SharedArrayBuffer;
}

/** The buffers that change hands with a message about these tensors. */
export function ownedBuffers(tensors: readonly { readonly data: TensorData }[]): ArrayBuffer[] {
  return [...new Set(tensors.filter((tensor) => !isShared(tensor)).map(({ data }) => data.buffer as ArrayBuffer))];
}
