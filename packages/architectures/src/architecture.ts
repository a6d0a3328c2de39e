/** What an architecture offers, and what adapting a checkpoint gives. */
import type { Checkpoint, ModelConfig } from '@tundish/checkpoint';
import type { Reporter } from '@tundish/diagnostics';
import type { Model } from '@tundish/graph';
import type { Adaptation } from './adaptation.js';

export interface AdaptOptions {
  /** Tokens a pass of the graph that is built. */
  readonly baseAr: number;
  /** Attention length of it, greater than `baseAr`. */
  readonly baseCl: number;
  /** Hears of tensors that are not used. */
  readonly reporter?: Reporter;
}

export interface Adapted {
  readonly model: Model;
  readonly adaptation: Adaptation;
}

/** One Hugging Face `model_type`. */
export interface Architecture {
  readonly modelType: string;
  /** Every size that the adapted graph holds besides AR, CL and CL-AR: what `chooseBase` must avoid. */
  sizes(config: ModelConfig): readonly number[];
  /**
   * The adapted float graph: opset 23, static shapes, every weight a byte range of the checkpoint's own files
   * (`location` is the file's name). Reads no weight bytes.
   *
   * @throws ARCHITECTURE_BIAS_DROPPED, ARCHITECTURE_SIZE_INVALID and the tensor errors of the checkpoint package
   */
  adapt(checkpoint: Checkpoint, options: AdaptOptions): Adapted;
}
