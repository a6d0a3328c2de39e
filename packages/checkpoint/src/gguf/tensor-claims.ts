/** Takes the tensors of a GGUF file one by one, and complains of those that are missing, misshapen or left over. */
import { printable } from '@tundish/diagnostics';
import { fault } from '../errors.js';
import type { GgufHeader } from './read-header.js';
import type { GgufTensor } from './read-tensors.js';

const LISTED = 12;

export class TensorClaims {
  private readonly claimed = new Set<string>();
  private readonly missing: string[] = [];

  constructor(private readonly header: Pick<GgufHeader, 'path' | 'tensors'>) {}

  /** Whether the file holds one of these. */
  holds(...names: readonly string[]): boolean {
    return names.some((name) => this.header.tensors.has(name));
  }

  /**
   * @param shape row-major
   * @returns undefined when it is not there, which `settle` then reports with all the others
   * @throws TundishError GGUF_TENSOR_SHAPE
   */
  take(name: string, shape: readonly number[]): GgufTensor | undefined {
    const tensor = this.header.tensors.get(name);
    if (tensor === undefined) {
      this.missing.push(name);
      return undefined;
    }
    this.claimed.add(name);
    if (tensor.shape.length === shape.length && tensor.shape.every((dim, axis) => dim === shape[axis])) return tensor;
    throw fault('GGUF_TENSOR_SHAPE', {
      what: `${this.header.path}: ${printable(name)}: the metadata asks [${shape.join(',')}], the file has [${tensor.shape.join(',')}]`,
      evidence: { path: this.header.path, offset: tensor.offset },
      fix: 'Metadata and tensors are not of the same model: convert the model again.',
    });
  }

  /** @throws TundishError GGUF_TENSOR_MISSING, GGUF_TENSOR_UNKNOWN */
  settle(architecture: string): void {
    const evidence = { path: this.header.path };
    if (this.missing.length > 0) {
      throw fault('GGUF_TENSOR_MISSING', {
        what: `${this.header.path}: ${counted(this.missing)} missing`,
        why: `The architecture ${architecture} needs them.`,
        evidence,
        fix: 'Of a model split over several files give a merged one (llama-gguf-split --merge); else download the file again.',
      });
    }
    const extra = [...this.header.tensors.keys()].filter((name) => !this.claimed.has(name));
    if (extra.length === 0) return;
    throw fault('GGUF_TENSOR_UNKNOWN', {
      what: `${this.header.path}: ${counted(extra)} unknown`,
      why: `The architecture ${architecture} has no place for them, and leaving them out could change every result.`,
      evidence,
      fix: 'Import the checkpoint that the file was made from instead.',
    });
  }
}

function counted(names: readonly string[]): string {
  const shown = names.slice(0, LISTED).map((name) => printable(name, 80)).join(', ');
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
  return `tensor${names.length === 1 ? '' : 's'} ${shown}${more} ${names.length === 1 ? 'is' : 'are'}`;
}
