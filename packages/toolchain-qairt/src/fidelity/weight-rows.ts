/** Holds the scales of every weight in the simulation against those that the compiler was told: its constants cannot be read back. */
import { type Encodings, type Graph, type ParameterEncoding, sanitiseName } from '@tundish/graph';
import type { WeightPaths } from '../compose/compose-into.js';
import { foldScales } from '../compose/fold-scales.js';
import type { PlannedTensor, QnnGraphPlan } from '../compose/plan.js';
import { ELEMENT_CODES } from '../inspection/element-types.js';
import { blockScales } from './constant-codes.js';
import type { EncodingGrid, EncodingRow, EncodingState } from './encoding-rows.js';

export interface WeightComparison {
  /** The adapted graph that was composed. */
  readonly graph: Graph;
  /** The encodings of weights by which the host computes. */
  readonly parameters: Encodings['parameters'];
  readonly plan: QnnGraphPlan;
  readonly paths: WeightPaths;
}

/** A row for each weight that a Conv2d multiplies with, once; grids show the largest scale of a channel. @throws QAIRT_FILE */
export function weightRows({ graph, parameters, plan, paths }: WeightComparison): EncodingRow[] {
  const simulated = new Map([...parameters].map(([name, encoding]) => [sanitiseName(name), encoding]));
  const factors = new Set(foldScales(graph).factors.values());
  const tensors = new Map(plan.tensors.map((tensor) => [tensor.name, tensor]));
  const weights = new Set(plan.operations.filter(({ type }) => type === 'Conv2d').map(({ inputs: [, weight = ''] }) => weight));
  return [...weights].map((name) => rowOf(plan.name, toldScales(tensors.get(name) as PlannedTensor, paths), { name, encoding: simulated.get(name), factors }));
}

function rowOf(graph: string, told: Scales | undefined, { name, encoding, factors }: { readonly name: string; readonly encoding: ParameterEncoding | undefined; readonly factors: ReadonlySet<number> }): EncodingRow {
  const own = encoding === undefined ? undefined : scalesOf(encoding);
  const row = { graph, tensor: name, simulation: own === undefined ? null : own.grid, device: told === undefined ? null : told.grid, factor: 1 };
  if (own === undefined || told === undefined) return { ...row, state: own === undefined ? 'unsimulated' : 'absent' };
  const factor = [1, ...factors].find((candidate) => sameScales(own, told, candidate));
  const state: EncodingState = factor === undefined ? 'different' : factor === 1 ? 'equal' : 'folded';
  return { ...row, state, factor: factor ?? 1 };
}

interface Scales {
  readonly grid: EncodingGrid;
  readonly channels: Float32Array;
  /** Integers, [channel][block]. */
  readonly blocks: Uint8Array | undefined;
}

function scalesOf(encoding: ParameterEncoding): Scales | undefined {
  if (encoding.kind === 'lpbq') return scales('int4', encoding.channelScale, encoding.blockScale);
  return encoding.kind === 'per-channel' ? scales(encoding.dtype, encoding.scale, undefined) : undefined;
}

function toldScales(tensor: PlannedTensor, paths: WeightPaths): Scales | undefined {
  const { quantization, element } = tensor;
  if (quantization?.kind === 'blockwise') return scales('int4', quantization.scales, blockScales(tensor, paths));
  if (quantization?.kind === 'bitwidth_axis') return scales(`int${quantization.bits}`, quantization.scales, undefined);
  return quantization?.kind === 'axis' ? scales(element === ELEMENT_CODES.SFIXED_POINT_16 ? 'int16' : 'int8', quantization.scales, undefined) : undefined;
}

function scales(dtype: string, channels: Float32Array, blocks: Uint8Array | undefined): Scales {
  return { grid: { dtype, scale: channels.reduce((largest, scale) => Math.max(largest, scale), 0), zeroPoint: 0 }, channels, blocks };
}

function sameScales(own: Scales, told: Scales, factor: number): boolean {
  return own.grid.dtype === told.grid.dtype && own.channels.length === told.channels.length
    && own.channels.every((scale, i) => Math.fround(scale * factor) === told.channels[i])
    && own.blocks?.length === told.blocks?.length
    && (own.blocks ?? []).every((scale, i) => scale === told.blocks?.[i]);
}
