/** What the System library says about a context binary, as tundish-qnn.node returns it. */
import type { QnnReadQuantization } from './tensor.js';

export interface QnnTensorInfo {
  /** Form of the description: 1 or 2. */
  readonly version: number;
  readonly id: number;
  readonly name: string;
  readonly type: number;
  readonly element: number;
  readonly dims: Uint32Array;
  readonly quantization?: QnnReadQuantization;
}

/** Bytes, from the words that the library keeps about a graph; shared weights and constants were told apart by their sizes. */
export interface QnnGraphMemory {
  readonly spillFillBytes: number;
  readonly vtcmBytes: number;
  readonly optimizationLevel: number;
  readonly ioBytes: number;
  readonly runListBytes: number;
  readonly constantBytes: number;
  readonly sharedWeightBytes: number;
}

export interface QnnGraphInfo {
  readonly version: number;
  readonly name: string;
  readonly inputs: readonly QnnTensorInfo[];
  readonly outputs: readonly QnnTensorInfo[];
  /** Absent in binaries of older builds. */
  readonly memory?: QnnGraphMemory;
}

export interface QnnBinaryInfo {
  /** Form of the description: 1, 2 or 3. */
  readonly version: number;
  readonly backendId: number;
  readonly buildId: string;
  readonly coreApi: string;
  readonly backendApi: string;
  /** Usually empty. */
  readonly soc: string;
  readonly contextBlobVersion: string;
  readonly blobBytes: number;
  readonly contextTensors: readonly QnnTensorInfo[];
  readonly graphs: readonly QnnGraphInfo[];
  /** Id of the chip; absent in binaries of older builds, as is the architecture, for example 79. */
  readonly socModel?: number;
  readonly architecture?: number;
}
