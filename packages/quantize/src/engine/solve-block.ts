/**
 * Quantizes a decoder block group by group: the inputs that the quantized model gives are measured, the layers that read
 * them are solved, and the tokens go on through the quantized layers. The float model runs beside it, group by group, where
 * techniques ask: so only its residual stream waits on disk, and its widest values never do.
 */
import { setImmediate } from 'node:timers/promises';
import { floatWindows, judgingWindows } from '@tundish/recipe/calibration-windows';
import { type Technique, needsReferenceInputs, needsReferenceMoments, needsWholeGram } from '@tundish/recipe/technique';
import type { WeightScheme } from '@tundish/recipe/weight-scheme';
import { type BlockContext, LINEAR_GROUPS, type LinearGroup, afterAttention, applyLinear, attend, attentionInput, blockOutput, forwardBlock, gatedInput, mlpInput, multipliesCodes } from '../forward/block-forward.js';
import { type BlockWeights, LINEAR_ROLES, type Linear, type LinearRole, type RopeTables, linearDims } from '../forward/block-weights.js';
import { LiveActivations, type LiveActivationsWriter, type WindowRange } from '../live-activations.js';
import { type Compute, dequantize } from '../techniques/weight-matrix.js';
import { blockOf, commonBlock } from '../weight-scheme.js';
import { batchesOf } from './batches.js';
import type { BlockWorkspace } from './block-workspace.js';
import { floatRange } from './float-windows.js';
import { GroupStatistics, type ReferenceKind } from './group-statistics.js';
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
  /** Residual stream that enters: of the quantized model, and of the float model where it is needed, with the windows that it runs on alone. */
  readonly quantized: LiveActivations;
  readonly reference?: LiveActivations;
  /** What leaves; absent where nobody reads it. */
  readonly quantizedOut?: LiveActivationsWriter;
  readonly referenceOut?: LiveActivationsWriter;
  /** Of the walk that solves this block among others. */
  readonly workspace: BlockWorkspace;
  readonly signal: AbortSignal;
}

export type BlockSolution = Readonly<Record<LinearRole, SolvedLayer>>;

/** @throws the reason of `signal`, between two batches or layers */
export async function solveBlock(request: BlockRequest): Promise<BlockSolution> {
  return new BlockSolver(request).solve();
}

class BlockSolver {
  /** Layers as the quantized model has them; those that are not solved yet are absent. */
  readonly #linears: Partial<Record<LinearRole, Linear>> = {};
  readonly #solved: Partial<Record<LinearRole, SolvedLayer>> = {};
  /** Indices of the windows that the float model runs on: its streams have those alone. */
  readonly #floatWindows: readonly number[];

  constructor(private readonly request: BlockRequest) {
    this.#floatWindows = floatWindows(request.options, request.windows);
  }

  async solve(): Promise<BlockSolution> {
    const { weights: { linears, attentionGain, mlpGain }, rope, referenceOut, options, workspace: { streams, stack: memory } } = this.request;
    const context = { ...this.request.context, memory };
    const entering = (i: WindowRange): Float32Array => this.request.quantized.windows(i, memory);
    const floatIn = (i: WindowRange): Float32Array => (this.request.reference as LiveActivations).windows(i, memory);

    await this.#group('qkv', (i) => attentionInput(context, entering(i), attentionGain), (i) => attentionInput(context, floatIn(i), attentionGain));
    await this.#group('o', (i) => this.#keep('o_proj', i, attend(context, attentionInput(context, entering(i), attentionGain), this.#ready(LINEAR_GROUPS.qkv), rope)), (i) => {
      const x = floatIn(i);
      const attended = attend(context, attentionInput(context, x, attentionGain), linears, rope);
      streams.keep('float-middle', i, afterAttention(context, x, attended, linears.o_proj));
      return attended;
    });
    const middle = (i: WindowRange): Float32Array => afterAttention(context, entering(i), this.#kept('o_proj', i), this.#ready(LINEAR_GROUPS.o).o_proj);
    await this.#group('gate_up', (i) => mlpInput(context, streams.keep('middle', i, middle(i)), mlpGain), (i) => mlpInput(context, streams.read('float-middle', i), mlpGain));
    await this.#group('down', (i) => this.#keep('down_proj', i, gatedInput(context, mlpInput(context, streams.read('middle', i), mlpGain), this.#ready(LINEAR_GROUPS.gate_up))), (i) => {
      const x = streams.read('float-middle', i);
      const gated = gatedInput(context, mlpInput(context, x, mlpGain), linears);
      if (referenceOut === undefined && needsReferenceInputs(options)) return gated;
      const { weight, bias } = linears.down_proj;
      const down = applyLinear(context, gated, 'down_proj', { weight });
      if (referenceOut !== undefined) {
        const y = memory.take(down.length);
        y.set(down);
        for (const part of [bias, x]) if (part !== undefined) context.kernels.decoder.add(y, part, context.threads);
        referenceOut.append(y);
      }
      return needsReferenceInputs(options) ? gated : down;
    });
    const solution = this.#solved as BlockSolution;
    const refined = await this.#refine(solution);
    await this.#leave(refined !== undefined);
    return this.request.sensitivity ? this.#measured(refined ?? solution) : (refined ?? solution);
  }

  /** The stream that leaves, where somebody reads it. @param refined whether layers have changed since their inputs were put by */
  async #leave(refined: boolean): Promise<void> {
    const { context: given, weights, rope, quantized, quantizedOut, workspace: { streams, stack: memory } } = this.request;
    if (quantizedOut === undefined) return;
    const context = { ...given, memory };
    const linears = this.#ready(LINEAR_ROLES);
    await this.#windows((i) => quantizedOut.append(refined
      ? forwardBlock(context, { ...weights, linears }, quantized.windows(i, memory), rope)
      : blockOutput(context, streams.read('middle', i), this.#kept('down_proj', i), linears.down_proj)));
  }

  /** What learning makes of the layers together; undefined where the recipe has no such link. */
  async #refine(solution: BlockSolution): Promise<BlockSolution | undefined> {
    const { context: { kernels, shape, threads }, weights, rope, options: { refine }, windows, quantized, referenceOut, signal } = this.request;
    if (refine.method === 'none') return undefined;
    const targets = new LiveActivations((referenceOut as LiveActivationsWriter).path, windows);
    // Gradients are those of products in fp32.
    const task = { context: { kernels, shape, threads }, weights, rope, windows, input: (i: number) => quantized.window(i), target: (i: number) => targets.window(i), signal };
    const refined = await refineBlock(task, solution, refine).finally(() => targets.close());
    for (const role of LINEAR_ROLES) this.#linears[role] = linearOf(this.#ofBlock, refined[role], weights.linears[role]);
    return refined;
  }

  /**
   * Measures what comes into a group, then solves its layers.
   *
   * @param input of the group in the quantized model @param float what the float model has there, by windows of its own streams;
   * its stream goes on with it, so it is computed wherever that model runs
   */
  async #group(group: LinearGroup, input: (windows: WindowRange) => Float32Array, float: (windows: WindowRange) => Float32Array): Promise<void> {
    const { context, weights, names, options, schemes, windows, reference, workspace, signal } = this.request;
    const roles: readonly LinearRole[] = LINEAR_GROUPS[group];
    const dims = linearDims(roles[0] as LinearRole, context.shape);
    const few = this.#floatWindows.length < windows ? { windows: this.#floatWindows } : {};
    const outputs = group === 'down' && !needsReferenceInputs(options);
    const kind: ReferenceKind = reference === undefined || !needsReferenceMoments(options) ? { kind: 'none' } : outputs ? { kind: 'outputs', layer: { w: weights.linears.down_proj.weight, n: dims.out, k: dims.in }, ...few } : { kind: 'inputs', ...few };
    const statistics = new GroupStatistics({ ...context, stack: workspace.statistics }, dims.in, needsWholeGram(options) ? dims.in : commonBlock(roles.map((role) => schemes[role]), dims.in), kind, windows);
    await this.#windows((i) => {
      const at = reference === undefined ? undefined : floatRange(this.#floatWindows, i);
      const beside = at === undefined ? undefined : float(at);
      statistics.add(i, input(i), kind.kind === 'none' ? undefined : beside);
    });
    const layers = roles.map((role) => ({ name: names[role], weight: { w: weights.linears[role].weight, n: linearDims(role, context.shape).out, k: dims.in }, scheme: schemes[role] }));
    const solved = await solveGroup({ compute: { ...context, stack: workspace.stack }, options, layers, moments: statistics.finish(), signal });
    workspace.statistics.release();
    solved.forEach((layer, index) => {
      const role = roles[index] as LinearRole;
      this.#solved[role] = layer;
      this.#linears[role] = linearOf(this.#ofBlock, layer, weights.linears[role]);
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

  /** Computes what lasts as long as the block. */
  get #ofBlock(): Compute {
    const { context: { kernels, threads }, workspace: { block } } = this.request;
    return { kernels, threads, stack: block };
  }

  /** Puts the input of a layer by until it is solved. */
  #keep(role: LinearRole, range: WindowRange, input: Float32Array): Float32Array {
    const { context, workspace: { streams } } = this.request;
    return this.#rounds(role) ? streams.keepRounded(context, role, range, input) : streams.keep(role, range, input);
  }

  #kept(role: LinearRole, range: WindowRange): Float32Array {
    const { context, workspace: { streams } } = this.request;
    return this.#rounds(role) ? streams.readRounded(context, role, range) : streams.read(role, range);
  }

  /** Whether the layer will multiply codes, and round this input. */
  #rounds(role: LinearRole): boolean {
    const { context, names, schemes } = this.request;
    const scheme = schemes[role];
    return multipliesCodes(context, { bits: scheme.bits, block: blockOf(names[role], scheme, linearDims(role, context.shape).in) });
  }

  #ready<Role extends LinearRole>(roles: readonly Role[]): Readonly<Record<Role, Linear>> {
    return Object.fromEntries(roles.map((role) => [role, this.#linears[role]])) as Record<Role, Linear>;
  }

  /** All windows in their order, a batch at once; what was kept of them can be read afterwards. */
  async #windows(work: (windows: WindowRange) => void): Promise<void> {
    const { windows, context: { windowLength }, workspace, signal } = this.request;
    for (const batch of batchesOf(windows, windowLength)) {
      await setImmediate();
      signal.throwIfAborted();
      work(batch);
      workspace.stack.release();
    }
  }
}

/** The layer as the quantized model has it. */
function linearOf(compute: Compute, { codes, scales: { grid } }: SolvedLayer, float: Linear): Linear {
  return { ...float, weight: dequantize(compute, codes, grid), coded: { codes, grid } };
}
