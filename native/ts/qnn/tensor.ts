/** Tensors, operations and graphs as tundish-qnn.node takes them: codes of types are those of the vendor's interface. */

/** A range of a file: mapped, never copied. */
export interface QnnFileRange {
  /** Absolute. */
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
}

export type QnnData = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array;

/**
 * Real value = (code + offset) * scale, so that an offset is the negative zero point. Scales of `axis` and `bitwidth_axis` are
 * one a slice along `axis`; `bits` is the width of the codes inside their bytes.
 */
export type QnnQuantization =
  | { readonly kind: 'scale_offset'; readonly scale: number; readonly offset: number }
  | { readonly kind: 'axis'; readonly axis: number; readonly scales: Float32Array; readonly offsets?: Int32Array }
  | { readonly kind: 'bitwidth'; readonly bits: number; readonly scale: number; readonly offset: number }
  | { readonly kind: 'bitwidth_axis'; readonly bits: number; readonly axis: number; readonly scales: Float32Array; readonly offsets?: Int32Array }
  | { readonly kind: 'block'; readonly block: Uint32Array; readonly scales: Float32Array; readonly offsets?: Int32Array }
  | QnnBlockwise;

/** LPBQ: real value = code * scales[channel] * blockScales[channel][block]. */
export interface QnnBlockwise {
  readonly kind: 'blockwise';
  readonly axis: number;
  /** One a channel. */
  readonly scales: Float32Array;
  readonly offsets?: Int32Array;
  /** Blocks of one channel. */
  readonly blocks: number;
  /** Width of a block scale. */
  readonly bits: number;
  /** A byte a block, [channel][block]. */
  readonly blockScales: Uint8Array | QnnFileRange;
}

/** What the libraries say beside what they are told: encodings that only they write. */
export type QnnReadQuantization = Exclude<QnnQuantization, QnnBlockwise> | Omit<QnnBlockwise, 'blockScales'> | { readonly kind: 'other'; readonly encoding: number };

export interface QnnTensor {
  readonly name: string;
  /** 0 input, 1 output, 3 inside the graph, 4 constant. */
  readonly type: number;
  /** Element type, for example 0x416 for unsigned codes of 16 bits. */
  readonly element: number;
  readonly dims: Uint32Array;
  readonly quantization?: QnnQuantization;
  /** Of a constant: dense, row-major. */
  readonly data?: QnnData | QnnFileRange;
  /** Of a tensor of a loaded binary. */
  readonly id?: number;
  /** Form of the description, 1 or 2; 1 when absent. */
  readonly version?: number;
}

/** A scalar has `element` and `value`, a tensor `tensor`. */
export type QnnParameter =
  | { readonly name: string; readonly element: number; readonly value: number }
  | { readonly name: string; readonly tensor: QnnTensor };

/** One operation of the vendor's own package, over tensors that the graph already has. */
export interface QnnOperation {
  readonly name: string;
  readonly type: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly parameters: readonly QnnParameter[];
}

/** Options of the HTP backend, and `dlc` of the IR backend. What is absent stays at the library's own choice. */
export interface QnnGraphOptions {
  /** 1 to 3. */
  readonly optimization?: number;
  readonly vtcmMegabytes?: number;
  readonly hvxThreads?: number;
  /** Lossless compression of activations, 1 for on. */
  readonly dlbc?: number;
  /** The same of weights. */
  readonly dlbcWeights?: number;
  /** Floating-point operations in half precision. */
  readonly float16?: boolean;
  /** Where `finalize` writes the deep learning container. */
  readonly dlc?: string;
}
