/** A decoder block of the adapted graph, solved with the calibration tokens that reach it. */
import { join } from 'node:path';
import type { Kernels } from '@tundish/native';
import { floatWindows } from '@tundish/recipe/calibration-windows';
import type { Technique } from '@tundish/recipe/technique';
import type { WeightScheme } from '@tundish/recipe/weight-scheme';
import type { FileResolver } from '@tundish/toolchain';
import { activationsName, referenceName } from './block-cache.js';
import type { CalibrationInputs } from './calibration/windows.js';
import type { BlockWorkspace } from './engine/block-workspace.js';
import { smoothBlock } from './engine/smooth-block.js';
import { type BlockRequest, solveBlock } from './engine/solve-block.js';
import type { SolvedLayer } from './engine/solve-group.js';
import { type BlockDescription, describeBlock } from './forward/block-description.js';
import { type BlockContext, LINEAR_GROUPS, type LinearGroup } from './forward/block-forward.js';
import { LINEAR_ROLES, type LinearRole, linearDims } from './forward/block-weights.js';
import { readBlock } from './forward/read-block.js';
import { LiveActivations, LiveActivationsWriter } from './live-activations.js';
import type { WeightOptions } from './quantize-parameter.js';
import type { Segment } from './segments.js';
import { blockOf, schemeOf } from './weight-scheme.js';
import { TensorFiles } from './weight-source.js';

export interface SolveSegmentRequest {
  readonly segment: Segment;
  readonly weights: WeightOptions;
  readonly resolve: FileResolver;
  readonly kernels: Kernels;
  readonly inputs: CalibrationInputs;
  /** File of the residual stream that enters, of the quantized model; of the float model where a technique needs it. */
  readonly quantized: string;
  readonly reference?: string;
  /** Receives the streams that leave: those with these names. */
  readonly folder: string;
  readonly streams: readonly string[];
  readonly workspace: BlockWorkspace;
  readonly threads: number;
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
}

export interface SolvedSegment {
  /** Codes and scales by name of the parameter. */
  readonly layers: ReadonlyMap<string, SolvedLayer>;
  /** Values of gains and biases that are others than in the checkpoint, by name of the parameter. */
  readonly folded: ReadonlyMap<string, Float32Array>;
}

/**
 * @throws QUANTIZE_UNKNOWN_BLOCK, QUANTIZE_BLOCK_SIZE, QUANTIZE_NOT_FINITE
 */
export async function solveSegment(request: SolveSegmentRequest): Promise<SolvedSegment> {
  const { segment, weights: { technique, schemes: chosen, mixedPrecision }, resolve, kernels, inputs, folder, streams, workspace, threads, signal } = request;
  const description = describeBlock(segment);
  const names = Object.fromEntries(LINEAR_ROLES.map((role) => [role, description.linears[role].weight.name])) as Record<LinearRole, string>;
  const schemes = Object.fromEntries(LINEAR_ROLES.map((role) => [role, schemeOf(chosen, names[role])])) as Record<LinearRole, WeightScheme>;
  for (const role of LINEAR_ROLES) blockOf(names[role], schemes[role], linearDims(role, description.shape).in);
  const files = new TensorFiles(resolve);
  workspace.begin();
  const weights = readBlock(description, files, { kernels, stack: workspace.block });
  request.onBytes(files.bytesRead);
  files.close();
  const windows = inputs.windows.length;
  const quantized = new LiveActivations(request.quantized, windows);
  const reference = request.reference === undefined ? undefined : new LiveActivations(request.reference, floatWindows(technique, windows).length);
  const [quantizedOut, referenceOut] = [activationsName, referenceName].map((name) => (streams.includes(name(segment.name)) ? new LiveActivationsWriter(join(folder, name(segment.name))) : undefined));
  try {
    return await solve(description, {
      context: { kernels, ...productsOf(technique, kernels), shape: description.shape, threads, windowLength: (inputs.windows[0] as Int32Array).length },
      weights, names, rope: inputs, options: technique, schemes, sensitivity: mixedPrecision !== undefined, windows, workspace, signal, quantized,
      ...(reference === undefined ? {} : { reference }),
      ...(quantizedOut === undefined ? {} : { quantizedOut }),
      ...(referenceOut === undefined ? {} : { referenceOut }),
    });
  } finally {
    for (const stream of [quantized, reference, quantizedOut, referenceOut]) stream?.close();
  }
}

/** What tokens are multiplied with: 8 bits are for codes, where they do not show; the rest of that recipe has 13. */
function productsOf({ products }: Technique, { algebra }: Kernels): Pick<BlockContext, 'products' | 'byCodes'> {
  return { products: products === 'float32' ? algebra : algebra.int16, byCodes: products === 'int8' };
}

/** Solves the block, with factors of its input channels folded in beforehand where the recipe smooths. */
async function solve({ linears, attentionGain, mlpGain }: BlockDescription, request: BlockRequest): Promise<SolvedSegment> {
  const { names, options: { smoothing } } = request;
  if (smoothing.method === 'none') {
    const solution = await solveBlock(request);
    return { layers: new Map(LINEAR_ROLES.map((role) => [names[role], solution[role]])), folded: new Map() };
  }
  const { weights, exponents } = await smoothBlock({ ...request, points: smoothing.points });
  const solution = await solveBlock({ ...request, weights });
  const layers = (Object.keys(LINEAR_GROUPS) as LinearGroup[]).flatMap((group) => LINEAR_GROUPS[group].map((role) => {
    const { report, ...layer } = solution[role];
    return [names[role], { ...layer, report: { ...report, smoothing: exponents[group] } }] as const;
  }));
  const biases = LINEAR_ROLES.flatMap((role) => {
    const values = weights.linears[role].bias;
    return values === undefined ? [] : [[linears[role].bias?.name as string, values] as const];
  });
  return { layers: new Map(layers), folded: new Map([[attentionGain.name, weights.attentionGain], [mlpGain.name, weights.mlpGain], ...biases]) };
}
