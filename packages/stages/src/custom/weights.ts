/** Weights for custom stages: read one tensor at a time, write those that change into one new file. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type ExternalTensor, type Tensor, type Value, evaluateParameter } from '@tundish/graph';
import { stageError } from '../errors.js';
import { MEDIA, type StageFile, type StageInput } from '../stage.js';

/** The bytes of a tensor of the input's graph, little-endian, row-major; a copy. @throws STAGE_OUTPUT_UNKNOWN, STAGE_REQUIRES */
export function tensorBytes(input: StageInput, tensor: Tensor): Uint8Array {
  if (tensor.kind === 'inline') return tensor.data.slice();
  const bytes = new Uint8Array(tensor.length);
  const file = openSync(input.resolve(tensor.location), 'r');
  try {
    const read = readSync(file, bytes, 0, tensor.length, tensor.offset);
    if (read !== tensor.length) throw stageError('STAGE_REQUIRES', { what: `bytes ${tensor.offset}..${tensor.offset + tensor.length} of ${tensor.location} are not there`, evidence: { path: tensor.location, offset: tensor.offset } });
  } finally {
    closeSync(file);
  }
  return bytes;
}

/** float32 values of a weight, row-major: an initializer, or a constant expression over some. @throws GRAPH_PARAMETER */
export function parameterValues(input: StageInput, value: Value): Float32Array {
  return evaluateParameter(value, (tensor) => tensorBytes(input, tensor));
}

/** One new weight file of a stage; tensors lie in it in the order in which they were added. */
export class WeightFile {
  readonly #file: number;
  readonly #path: string;
  #end = 0;

  /** @param name its logical location, for example `prune.weights`; no file of the input may have it */
  constructor(scratch: string, readonly name: string) {
    this.#path = join(scratch, name);
    this.#file = openSync(this.#path, 'wx');
  }

  /** Writes the bytes of a tensor of this type and shape. @returns the tensor that refers to them */
  add({ dtype, dims }: Pick<Tensor, 'dtype' | 'dims'>, bytes: Uint8Array): ExternalTensor {
    const offset = this.#end;
    for (let written = 0; written < bytes.length; ) written += writeSync(this.#file, bytes, written, bytes.length - written, offset + written);
    this.#end += bytes.length;
    return { kind: 'external', dtype, dims, location: this.name, offset, length: bytes.length };
  }

  /** Closes the file: nothing can be added after. */
  finish(): StageFile {
    closeSync(this.#file);
    return { name: this.name, mediaType: MEDIA.weights, path: this.#path };
  }
}
