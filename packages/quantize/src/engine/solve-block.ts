/**
 * Quantizes a decoder block group by group: the inputs that the quantized model gives are measured, the layers that read
 * them are solved, and the tokens go on through the quantized layers. The float model runs beside it where techniques ask.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type Technique, needsReferenceInputs, needsReferenceMoments, needsWholeGram } from '@tundish/recipe/technique';
import type { WeightScheme } from '@tundish/recipe/weight-scheme';
import { type BlockContext, LINEAR_GROUPS, type LinearGroup, afterAttention, attend, attentionInput, blockOutput, forwardBlock, gatedInput, mlpInput } from '../forward/block-forward.js';
import { type BlockWeights, LINEAR_ROLES, type Linear, type LinearRole, type RopeTables, linearDims } from '../forward/block-weights.js';
import { LiveActivations, LiveActivationsWriter, type WindowRange } from '../live-activations.js';
import { dequantize } from '../techniques/weight-matrix.js';
import { commonBlock } from '../weight-scheme.js';
import { batchesOf } from './batches.js';
import { GroupStatistics, type ReferenceKind } from './group-statistics.js';
import { judgingWindows } from './held-out.js';
import { LayerSensitivity } from './layer-sensitivity.js';
import { refineBlock } from './refine-block.js';
import { type SolvedLayer, solveGroup } from './solve-group.js';

export interface BlockRequest {
  readonly context: BlockContext & { readonly windowLength: number };
  readonly weights: BlockWeights;
  /** Names of the weights, for the report. */
  readonly names: Readonly<Record<LinearRole, string>>;
  readonly rope: RopeTables;
  readonly options: Technique;
  readonly schemes: Readonly<Record<LinearRole, WeightScheme>>;
  readonly windows: number;
  /** Whether the sensitivity of each layer is measured: as much work as one more pass of the windows. */
  readonly sensitivity: boolean;
  /** Residual stream that enters: of the quantized model, and of the float model where it is needed. */
  readonly quantized: LiveActivations;
  readonly reference?: LiveActivations;
  readonly quantizedOut: LiveActivationsWriter;
  readonly referenceOut?: LiveActivationsWriter;
  /** For files that live as long as the call. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

export type BlockSolution = Readonly<Record<LinearRole, SolvedLayer>>;

/** @throws the reason of `signal`, between two batches or layers */
export async function solveBlock(request: BlockRequest): Promise<BlockSolution> {
  const scratch = new Scratch(request.folder, request.windows);
  try {
    return await new BlockSolver(request, scratch).solve();
  } finally {
    await scratch.remove();
  }
}

class BlockSolver {
  /** Layers as the quantized model has them; those that are not solved yet are absent. */
  readonly #linears: Partial<Record<LinearRole, Linear>> = {};
  readonly #solved: Partial<Record<LinearRole, SolvedLayer>> = {};

  constructor(private readonly request: BlockRequest, private readonly scratch: Scratch) {}

  async solve(): Promise<BlockSolution> {
    const { context, weights: { attentionGain, mlpGain }, quantized, quantizedOut, reference } = this.request;
    if (reference !== undefined) await this.#runReference(reference);
    const float = (name: string, windows: WindowRange): Float32Array => this.scratch.read(name, windows);

    await this.#group('qkv', (i) => attentionInput(context, quantized.windows(i), attentionGain), (i) => attentionInput(context, (reference as LiveActivations).windows(i), attentionGain));
    await this.#each('attended', (i) => attend(context, attentionInput(context, quantized.windows(i), attentionGain), this.#ready(LINEAR_GROUPS.qkv), this.request.rope));
    await this.#group('o', (i) => float('attended', i), (i) => float('float-attended', i));
    await this.#each('middle', (i) => afterAttention(context, quantized.windows(i), float('attended', i), this.#ready(LINEAR_GROUPS.o).o_proj));
    await this.#group('gate_up', (i) => mlpInput(context, float('middle', i), mlpGain), (i) => mlpInput(context, float('float-middle', i), mlpGain));
    await this.#each('gated', (i) => gatedInput(context, mlpInput(context, float('middle', i), mlpGain), this.#ready(LINEAR_GROUPS.gate_up)));
    await this.#group('down', (i) => float('gated', i), (i) => float('float-down', i));
    const solution = this.#solved as BlockSolution;
    const refined = await this.#refine(solution);
    const { down_proj } = this.#ready(LINEAR_GROUPS.down);
    if (refined === undefined) await this.#windows((i) => quantizedOut.append(blockOutput(context, float('middle', i), float('gated', i), down_proj)));
    else await this.#windows((i) => quantizedOut.append(forwardBlock(context, { ...this.request.weights, linears: this.#ready(LINEAR_ROLES) }, quantized.windows(i), this.request.rope)));
    return this.request.sensitivity ? this.#measured(refined ?? solution) : (refined ?? solution);
  }

  /** What learning makes of the layers together; undefined where the recipe has no such link. */
  async #refine(solution: BlockSolution): Promise<BlockSolution | undefined> {
    const { context: { kernels, shape, threads }, weights, rope, options: { refine }, windows, quantized, referenceOut, signal } = this.request;
    if (refine.method === 'none') return undefined;
    const targets = new LiveActivations((referenceOut as LiveActivationsWriter).path, windows);
    // Gradients are those of products in fp32.
    const task = { context: { kernels, shape, threads }, weights, rope, windows, input: (i: number) => quantized.window(i), target: (i: number) => targets.window(i), signal };
    const refined = await refineBlock(task, solution, refine).finally(() => targets.close());
    for (const role of LINEAR_ROLES) this.#linears[role] = linearOf(refined[role], weights.linears[role]);
    return refined;
  }

  async #runReference(reference: LiveActivations): Promise<void> {
    const { context, weights: { linears, attentionGain, mlpGain }, rope, referenceOut, options } = this.request;
    const [attended, middle, down] = ['float-attended', 'float-middle', 'float-down'].map((name) => this.scratch.writer(name)) as [LiveActivationsWriter, LiveActivationsWriter, LiveActivationsWriter];
    await this.#windows((i) => {
      const x = reference.windows(i);
      const a = attend(context, attentionInput(context, x, attentionGain), linears, rope);
      const m = afterAttention(context, x, a, linears.o_proj);
      const g = gatedInput(context, mlpInput(context, m, mlpGain), linears);
      attended.append(a);
      middle.append(m);
      const y = blockOutput(context, m, g, linears.down_proj);
      referenceOut?.append(y);
      down.append(needsReferenceInputs(options) ? g : withoutResidual(y, m, linears.down_proj.bias));
    });
    this.scratch.finish();
  }

  /** Measures what comes into a group, then solves its layers. */
  async #group(group: LinearGroup, input: (windows: WindowRange) => Float32Array, float: (windows: WindowRange) => Float32Array): Promise<void> {
    const { context, weights, names, options, schemes, windows, reference, signal } = this.request;
    const roles: readonly LinearRole[] = LINEAR_GROUPS[group];
    const dims = linearDims(roles[0] as LinearRole, context.shape);
    const kind: ReferenceKind = reference === undefined || !needsReferenceMoments(options) ? { kind: 'none' } : group === 'down' && !needsReferenceInputs(options) ? { kind: 'outputs', outputs: dims.out } : { kind: 'inputs' };
    const statistics = new GroupStatistics(context, dims.in, needsWholeGram(options) ? dims.in : commonBlock(roles.map((role) => schemes[role]), dims.in), kind, windows);
    await this.#windows((i) => statistics.add(i, input(i), kind.kind === 'none' ? undefined : float(i)));
    const layers = roles.map((role) => ({ name: names[role], weight: { w: weights.linears[role].weight, n: linearDims(role, context.shape).out, k: dims.in }, scheme: schemes[role] }));
    const solved = await solveGroup({ compute: context, options, layers, moments: statistics.finish(), signal });
    solved.forEach((layer, index) => {
      const role = roles[index] as LinearRole;
      this.#solved[role] = layer;
      this.#linears[role] = linearOf(layer, weights.linears[role]);
    });
  }

  /** The solution with the sensitivity of each layer in its report. */
  async #measured(solution: BlockSolution): Promise<BlockSolution> {
    const { context, weights, rope, quantized, windows, signal } = this.request;
    const measure = new LayerSensitivity(context, weights, this.#ready(LINEAR_ROLES), rope);
    for (const index of judgingWindows(windows)) {
      await setImmediate();
      signal.throwIfAborted();
      measure.add(quantized.window(index));
    }
    return Object.fromEntries(LINEAR_ROLES.map((role) => [role, { ...solution[role], report: { ...solution[role].report, sensitivity: measure.of(role) } }])) as BlockSolution;
  }

  #ready<Role extends LinearRole>(roles: readonly Role[]): Readonly<Record<Role, Linear>> {
    return Object.fromEntries(roles.map((role) => [role, this.#linears[role]])) as Record<Role, Linear>;
  }

  /** Computes a stream batch by batch and keeps it. */
  async #each(name: string, compute: (windows: WindowRange) => Float32Array): Promise<void> {
    const writer = this.scratch.writer(name);
    await this.#windows((i) => writer.append(compute(i)));
    this.scratch.finish();
  }

  async #windows(work: (windows: WindowRange) => void): Promise<void> {
    const { windows, context: { windowLength }, signal } = this.request;
    for (const batch of batchesOf(windows, windowLength)) {
      await setImmediate();
      signal.throwIfAborted();
      work(batch);
    }
  }
}

/** The layer as the quantized model has it. */
function linearOf(layer: SolvedLayer, float: Linear): Linear {
  return { ...float, weight: dequantize(layer.codes, layer.scales.grid) };
}

/** What the down projection alone gave: y - x - bias, [tokens, hidden]. */
function withoutResidual(y: Float32Array, x: Float32Array, bias: Float32Array | undefined): Float32Array {
  return y.map((value, i) => value - (x[i] as number) - (bias?.[i % bias.length] ?? 0));
}

/** Streams of one block as files, so that memory holds one batch of each. */
class Scratch {
  readonly #paths: string[] = [];
  readonly #readers = new Map<string, LiveActivations>();
  #writers: LiveActivationsWriter[] = [];

  constructor(private readonly folder: string, private readonly windows: number) {}

  writer(name: string): LiveActivationsWriter {
    const path = join(this.folder, `scratch-${name}`);
    this.#paths.push(path);
    const writer = new LiveActivationsWriter(path);
    this.#writers.push(writer);
    return writer;
  }

  /** Closes what was written, so that it can be read. */
  finish(): void {
    for (const writer of this.#writers) writer.close();
    this.#writers = [];
  }

  read(name: string, windows: WindowRange): Float32Array {
    const reader = this.#readers.get(name) ?? new LiveActivations(join(this.folder, `scratch-${name}`), this.windows);
    this.#readers.set(name, reader);
    return reader.windows(windows);
  }

  async remove(): Promise<void> {
    this.finish();
    for (const reader of this.#readers.values()) reader.close();
    await Promise.all(this.#paths.map((path) => rm(path, { force: true })));
  }
}
