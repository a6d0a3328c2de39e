/** Chooses the technique for one parameter by its role and runs it. */
import { DataType, bytesOf } from '@tundish/graph';
import type { Kernels } from '@tundish/native';
import type { Technique } from '@tundish/recipe/technique';
import type { SolvedLayer } from './engine/solve-group.js';
import { quantizeFloatScales, quantizePerChannel8, writeFloatScales } from './float-scales/float-scales.js';
import { type FloatStack, releasing } from './float-stack.js';
import type { GivenGrid } from './given/given-grid.js';
import { quantizeGiven } from './given/quantize-given.js';
import { quantizeLpbq, writeLpbq } from './lpbq/lpbq.js';
import type { MixedPrecision } from './mixed-precision/choose-layers.js';
import type { Parameter } from './parameters.js';
import { quantizePerTensor } from './per-tensor/per-tensor.js';
import type { QuantizedWeight } from './quantized-weight.js';
import type { WeightFile } from './weight-file.js';
import { type WeightSchemes, blockOf, schemeOf } from './weight-scheme.js';
import { type TensorFiles, type WeightSource, weightSource } from './weight-source.js';
import type { ZeroPointRange } from './zero-points.js';

/** The weight part of the recipe's quantize section. */
export interface WeightOptions {
  /** What codes and scales of the decoder's projections are. */
  readonly schemes: WeightSchemes;
  /** Width of the embedding table. */
  readonly embeddingBits: 8 | 16;
  /** How the projections get their codes. */
  readonly technique: Technique;
  /** Raises the layers that need it most; with a technique that reads inputs. */
  readonly mixedPrecision?: MixedPrecision;
}

export interface ParameterRequest {
  readonly kernels: Kernels;
  readonly options: WeightOptions;
  readonly parameter: Parameter;
  /** True in the head segment, whose projection is the language-model head. */
  readonly head: boolean;
  readonly files: TensorFiles;
  readonly file: WeightFile;
  /** Memory of the rows at hand. */
  readonly stack: FloatStack;
  readonly zeroPoints: ZeroPointRange;
  /** Codes and scales of the projection, where they were solved with its inputs. */
  readonly solved?: SolvedLayer;
  /** Where its numbers are, when they are not those of the checkpoint. */
  readonly source?: WeightSource;
  /** The grid that was made for it elsewhere. */
  readonly grid?: GivenGrid;
}

/** Quantizes one parameter and appends it to the segment's weight file. */
export async function quantizeParameter(request: ParameterRequest): Promise<QuantizedWeight> {
  const { kernels, options, parameter, files, file, stack } = request;
  const source = request.source ?? weightSource(parameter.name, parameter.root, files, { kernels, stack });
  const dims = (parameter.root.shape ?? []).map(Number);
  if (request.grid !== undefined) return quantizeGiven({ kernels, source, grid: request.grid, dims, file, zeroPoints: request.zeroPoints });
  switch (parameter.role) {
    case 'projection':
      if (request.head) return quantizePerChannel8(kernels, source, file, request.zeroPoints);
      return request.solved === undefined ? withoutInputs(request, source) : writeSolved(request.solved, source.rows, request);
    case 'rotation':
      // Entries of one magnitude are the ends of the grid, which a scale a row holds exactly.
      return quantizePerChannel8(kernels, source, file, request.zeroPoints);
    case 'embedding':
      return quantizePerTensor(kernels, source, options.embeddingBits, dims, file);
    case 'gain':
      return quantizePerTensor(kernels, source, 16, dims, file);
    case 'bias':
      return { kind: 'float', values: await file.append(DataType.FLOAT, dims, bytesOf(readCopy(source))) };
  }
}

function withoutInputs({ kernels, options, parameter, file, zeroPoints }: ParameterRequest, source: WeightSource): Promise<QuantizedWeight> {
  const scheme = schemeOf(options.schemes, parameter.name);
  const block = blockOf(parameter.name, scheme, source.columns);
  const factors = dataFreeFactors(options.technique);
  if (scheme.scheme === 'lpbq') return quantizeLpbq(kernels, source, { blockSize: block, factors }, file, zeroPoints);
  return quantizeFloatScales(kernels, source, { bits: scheme.bits, block, factors }, file, zeroPoints);
}

function writeSolved({ scales: { lpbq, grid }, codes }: SolvedLayer, rows: number, { file, zeroPoints }: ParameterRequest): Promise<QuantizedWeight> {
  return lpbq === undefined ? writeFloatScales(grid, codes, rows, file, zeroPoints) : writeLpbq(lpbq, codes, file, zeroPoints);
}

/** All rows, in memory of their own. */
function readCopy(source: WeightSource): Float32Array {
  return releasing(source.stack, () => source.read(0, source.rows).slice());
}

/** Scales that are tried without any data; none for minimum and maximum. */
function dataFreeFactors({ scales }: Technique): number {
  return scales.search === 'grid' ? scales.factors : 0;
}
