/**
 * Quantizes a decoder block group by group: the inputs that the quantized model gives are measured, the layers that read
 * them are solved, and the tokens go on through the quantized layers. The float model runs beside it where techniques ask.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type Technique, needsReferenceInputs, needsReferenceMoments } from '@tundish/recipe/technique';
import { type BlockContext, type LinearGroup, afterAttention, attend, attentionInput, blockOutput, forwardBlock, gatedInput, mlpInput } from '../forward/block-forward.js';
import { type BlockWeights, LINEAR_ROLES, type Linear, type LinearRole, type RopeTables, linearDims } from '../forward/block-weights.js';
import { LiveActivations, LiveActivationsWriter } from '../live-activations.js';
import { dequantize } from '../techniques/weight-matrix.js';
import { GroupStatistics, type ReferenceKind } from './group-statistics.js';
import { gridOf, refineBlock } from './refine-block.js';
import { type SolvedLayer, solveGroup } from './solve-group.js';

export interface BlockRequest {
  readonly context: BlockContext;
  readonly weights: BlockWeights;
  /** Names of the weights, for the report. */
  readonly names: Readonly<Record<LinearRole, string>>;
  readonly rope: RopeTables;
  readonly options: Technique;
  readonly blockSize: number;
  readonly windows: number;
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

/** @throws the reason of `signal`, between two windows or layers */
export async function solveBlock(request: BlockRequest): Promise<BlockSolution> {
  const scratch = new Scratch(request.folder, request.windows);
  try {
    return await new BlockSolver(request, scratch).solve();
  } finally {
    await scratch.remove();
  }
}

const GROUPS: Readonly<Record<LinearGroup, readonly LinearRole[]>> = {
  qkv: ['q_proj', 'k_proj', 'v_proj'],
  o: ['o_proj'],
  gate_up: ['gate_proj', 'up_proj'],
  down: ['down_proj'],
};

class BlockSolver {
  /** Layers as the quantized model has them; those that are not solved yet are absent. */
  readonly #linears: Partial<Record<LinearRole, Linear>> = {};
  readonly #solved: Partial<Record<LinearRole, SolvedLayer>> = {};

  constructor(private readonly request: BlockRequest, private readonly scratch: Scratch) {}

  async solve(): Promise<BlockSolution> {
    const { context, weights: { attentionGain, mlpGain }, quantized, quantizedOut, reference } = this.request;
    if (reference !== undefined) await this.#runReference(reference);
    const float = (name: string, index: number): Float32Array => this.scratch.window(name, index);

    await this.#group('qkv', (i) => attentionInput(context, quantized.window(i), attentionGain), (i) => attentionInput(context, (reference as LiveActivations).window(i), attentionGain));
    await this.#each('attended', (i) => attend(context, attentionInput(context, quantized.window(i), attentionGain), this.#ready(GROUPS.qkv), this.request.rope));
    await this.#group('o', (i) => float('attended', i), (i) => float('float-attended', i));
    await this.#each('middle', (i) => afterAttention(context, quantized.window(i), float('attended', i), this.#ready(GROUPS.o).o_proj));
    await this.#group('gate_up', (i) => mlpInput(context, float('middle', i), mlpGain), (i) => mlpInput(context, float('float-middle', i), mlpGain));
    await this.#each('gated', (i) => gatedInput(context, mlpInput(context, float('middle', i), mlpGain), this.#ready(GROUPS.gate_up)));
    await this.#group('down', (i) => float('gated', i), (i) => float('float-down', i));
    const { down_proj } = this.#ready(GROUPS.down);
    const solution = this.#solved as BlockSolution;
    const refined = await this.#refine(solution);
    if (refined === undefined) await this.#windows((i) => quantizedOut.append(blockOutput(context, float('middle', i), float('gated', i), down_proj)));
    else await this.#windows((i) => quantizedOut.append(forwardBlock(context, { ...this.request.weights, linears: this.#ready(LINEAR_ROLES) }, quantized.window(i), this.request.rope)));
    return refined ?? solution;
  }

  /** What learning makes of the layers together; undefined where the recipe has no such link. */
  async #refine(solution: BlockSolution): Promise<BlockSolution | undefined> {
    const { context, weights, rope, options: { refine }, windows, quantized, signal } = this.request;
    if (refine.method === 'none') return undefined;
    const refined = await refineBlock({ context, weights, rope, windows, input: (i) => quantized.window(i), target: (i) => this.scratch.window('float-out', i), signal }, solution, refine);
    for (const role of LINEAR_ROLES) this.#linears[role] = linearOf(refined[role], weights.linears[role]);
    return refined;
  }

  async #runReference(reference: LiveActivations): Promise<void> {
    const { context, weights: { linears, attentionGain, mlpGain }, rope, referenceOut, options } = this.request;
    const [attended, middle, down] = ['float-attended', 'float-middle', 'float-down'].map((name) => this.scratch.writer(name)) as [LiveActivationsWriter, LiveActivationsWriter, LiveActivationsWriter];
    const out = options.refine.method === 'none' ? undefined : this.scratch.writer('float-out');
    await this.#windows((i) => {
      const x = reference.window(i);
      const a = attend(context, attentionInput(context, x, attentionGain), linears, rope);
      const m = afterAttention(context, x, a, linears.o_proj);
      const g = gatedInput(context, mlpInput(context, m, mlpGain), linears);
      attended.append(a);
      middle.append(m);
      const y = blockOutput(context, m, g, linears.down_proj);
      referenceOut?.append(y);
      out?.append(y);
      down.append(needsReferenceInputs(options) ? g : withoutResidual(y, m, linears.down_proj.bias));
    });
    this.scratch.finish();
  }

  /** Measures what comes into a group, then solves its layers. */
  async #group(group: LinearGroup, input: (index: number) => Float32Array, float: (index: number) => Float32Array): Promise<void> {
    const { context, weights, names, options, blockSize, windows, reference, signal } = this.request;
    const roles = GROUPS[group];
    const dims = linearDims(roles[0] as LinearRole, context.shape);
    const kind: ReferenceKind = reference === undefined || !needsReferenceMoments(options) ? { kind: 'none' } : group === 'down' && !needsReferenceInputs(options) ? { kind: 'outputs', outputs: dims.out } : { kind: 'inputs' };
    const statistics = new GroupStatistics(context, dims.in, kind, windows);
    await this.#windows((i) => statistics.add(i, input(i), kind.kind === 'none' ? undefined : float(i)));
    const layers = roles.map((role) => ({ name: names[role], weight: { w: weights.linears[role].weight, n: linearDims(role, context.shape).out, k: dims.in } }));
    const solved = await solveGroup({ compute: context, options, blockSize, layers, moments: statistics.finish(), signal });
    solved.forEach((layer, index) => {
      const role = roles[index] as LinearRole;
      this.#solved[role] = layer;
      this.#linears[role] = linearOf(layer, weights.linears[role]);
    });
  }

  #ready<Role extends LinearRole>(roles: readonly Role[]): Readonly<Record<Role, Linear>> {
    return Object.fromEntries(roles.map((role) => [role, this.#linears[role]])) as Record<Role, Linear>;
  }

  /** Computes a stream window by window and keeps it. */
  async #each(name: string, compute: (index: number) => Float32Array): Promise<void> {
    const writer = this.scratch.writer(name);
    await this.#windows((i) => writer.append(compute(i)));
    this.scratch.finish();
  }

  async #windows(work: (index: number) => void): Promise<void> {
    for (let index = 0; index < this.request.windows; index++) {
      await setImmediate();
      this.request.signal.throwIfAborted();
      work(index);
    }
  }
}

/** The layer as the quantized model has it. */
function linearOf(layer: SolvedLayer, float: Linear): Linear {
  return { ...float, weight: dequantize(layer.codes, gridOf(layer)) };
}

/** What the down projection alone gave: y - x - bias, [tokens, hidden]. */
function withoutResidual(y: Float32Array, x: Float32Array, bias: Float32Array | undefined): Float32Array {
  return y.map((value, i) => value - (x[i] as number) - (bias?.[i % bias.length] ?? 0));
}

/** Streams of one block as files, so that memory holds one window of each. */
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

  window(name: string, index: number): Float32Array {
    const reader = this.#readers.get(name) ?? new LiveActivations(join(this.folder, `scratch-${name}`), this.windows);
    this.#readers.set(name, reader);
    return reader.window(index);
  }

  async remove(): Promise<void> {
    this.finish();
    for (const reader of this.#readers.values()) reader.close();
    await Promise.all(this.#paths.map((path) => rm(path, { force: true })));
  }
}
