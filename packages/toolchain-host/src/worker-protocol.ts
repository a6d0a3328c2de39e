/** Messages between the thread of the caller and the thread that holds the sessions. */
import type { TensorData } from '@tundish/toolchain';

/** Options of one session, as far as they cross threads. */
export interface SessionSpec {
  readonly model: Uint8Array;
  /** Real folder below which external data lies. */
  readonly folder: string;
  readonly level: 'disabled' | 'basic';
  readonly threads: number;
  /** Set to save the optimised model with prepacked weights instead of keeping the session. */
  readonly save?: { readonly graph: string; readonly data: string };
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
  /** The buffers of the feeds, for the next call. */
  readonly returned?: readonly Feed[];
}
