/** Holds the grid of every activation in the simulation against the one that the compiled binary states. */
import { type Encodings, type Graph, type PerTensorEncoding, type Value, activationValues, matchRotaryEmbedding, movedInputs, sanitiseName } from '@tundish/graph';
import { negated } from '../compose/element.js';
import { foldScales } from '../compose/fold-scales.js';
import type { PlannedQuantization, PlannedTensor, QnnGraphPlan } from '../compose/plan.js';
import type { BinaryGraph, BinaryTensor } from '../inspection/context-binary.js';
import { elementName } from '../inspection/element-types.js';
import { gridOf, isHalf } from './operand.js';

/** real = (code - zeroPoint) * scale, codes of so many unsigned or signed bits. */
export interface EncodingGrid {
  readonly dtype: string;
  readonly scale: number;
  readonly zeroPoint: number;
}

/**
 * `equal`; `folded` where a constant factor went into the scale; `widened` where the same reals have codes of 16 bits instead
 * of 8; `moved` where the device needs no tensor of its own, since its codes are those of another; `step` for a tensor between
 * two operations that make one value, on the grid that the composer gave it. The others are findings: `different`; `unsimulated`
 * where the device rounds and the simulation does not; `absent` where the simulation rounds and the device does not.
 */
export type EncodingState = 'equal' | 'folded' | 'widened' | 'moved' | 'step' | 'different' | 'unsimulated' | 'absent';

export interface EncodingRow {
  readonly graph: string;
  readonly tensor: string;
  readonly state: EncodingState;
  /** Of a step what the composer gave it. */
  readonly simulation: EncodingGrid | null;
  readonly device: EncodingGrid | null;
  /** What the scale of the simulation is multiplied by on the device. */
  readonly factor: number;
}

/** States that make a report fail. */
export const ENCODING_FINDINGS: ReadonlySet<EncodingState> = new Set(['different', 'unsimulated', 'absent']);

export interface EncodingComparison {
  /** The adapted graph that was composed. */
  readonly graph: Graph;
  /** The encodings by which the host computes. */
  readonly simulated: Encodings['activations'];
  readonly plan: QnnGraphPlan;
  /** Of the tapped plan, so that it states every activation. */
  readonly binary: BinaryGraph;
}

/**
 * A row for each activation of the graph that has codes, in the order in which they are made, then for each tensor that only the plan has.
 * What lies inside a rotary embedding that is one operation has no grid on either side, and no row.
 */
export function encodingRows({ graph, simulated, plan, binary }: EncodingComparison): EncodingRow[] {
  const device = new Map([...binary.inputs, ...binary.outputs].map((tensor) => [tensor.name, binaryGrid(tensor)]));
  const { factors, products } = foldScales(graph);
  const folded = new Set([...products.keys()].map((node) => node.output()));
  const grids = simulatedGrids(graph, simulated);
  const seen = new Set<string>();
  const inside = insideRotations(graph, plan);
  const hasHalves = plan.outputs.some(isHalf);
  const rows = activationValues(graph).filter((value) => !inside.has(value)).flatMap((value) => {
    const tensor = sanitiseName(value.name);
    seen.add(tensor);
    const simulation = grids.get(value) ?? null;
    const found = device.get(tensor) ?? null;
    if (hasHalves && simulation === null && found === null) return [];
    const factor = factors.get(value) ?? 1;
    const state = found === null ? absence(value, grids, folded) : stateOf(simulation, found, factor);
    return [{ graph: binary.name, tensor, state, simulation, device: found, factor }];
  });
  const steps = plan.tensors.filter((tensor) => tensor.data === undefined && !seen.has(tensor.name) && gridOf(tensor) !== undefined).map((tensor): EncodingRow => {
    const [told, found] = [plannedGrid(tensor), device.get(tensor.name) ?? null];
    return { graph: binary.name, tensor: tensor.name, state: found !== null && sameGrid(told, found) ? 'step' : 'different', simulation: told, device: found, factor: 1 };
  });
  return [...rows, ...steps];
}

function insideRotations(graph: Graph, { operations }: QnnGraphPlan): ReadonlySet<Value> {
  const made = new Set(operations.filter(({ type }) => type === 'RotaryEmbedding').flatMap(({ outputs }) => outputs));
  const rotations = graph.nodes.filter((node) => made.has(sanitiseName(node.output().name))).map((node) => matchRotaryEmbedding(node));
  return new Set(rotations.flatMap((rotation) => rotation?.nodes ?? []).flatMap(({ outputs }) => outputs));
}

/** Own encodings, else those of the value whose elements they hold, as the lowering of the host hands them on. */
function simulatedGrids(graph: Graph, simulated: Encodings['activations']): ReadonlyMap<Value, EncodingGrid> {
  const grids = new Map<Value, EncodingGrid>();
  for (const value of activationValues(graph)) {
    const own = simulated.get(value.name);
    const source = value.producer === undefined ? undefined : movedInputs(value.producer)?.[0];
    const grid = own === undefined ? source === undefined ? undefined : grids.get(source) : plain(own);
    if (grid !== undefined) grids.set(value, grid);
  }
  return grids;
}

function plain({ dtype, scale, zeroPoint }: PerTensorEncoding): EncodingGrid {
  return { dtype, scale, zeroPoint };
}

function stateOf(simulation: EncodingGrid | null, device: EncodingGrid, factor: number): EncodingState {
  if (simulation === null) return 'unsimulated';
  const scaled = { ...simulation, scale: Math.fround(simulation.scale * factor) };
  if (sameGrid(scaled, device)) return factor === 1 ? 'equal' : 'folded';
  const wide = { dtype: 'uint16', scale: Math.fround(scaled.scale / 256), zeroPoint: scaled.zeroPoint * 256 };
  return simulation.dtype === 'uint8' && sameGrid(wide, device) ? 'widened' : 'different';
}

/** What has no tensor on the device is somebody else's codes, or the product whose factor was folded. */
function absence(value: Value, grids: ReadonlyMap<Value, EncodingGrid>, folded: ReadonlySet<Value>): EncodingState {
  if (folded.has(value)) return 'moved';
  const source = value.producer === undefined ? undefined : movedInputs(value.producer)?.[0];
  const [own, other] = [grids.get(value), source === undefined ? undefined : grids.get(source)];
  return own !== undefined && other !== undefined && sameGrid(own, other) ? 'moved' : 'absent';
}

function sameGrid(a: EncodingGrid, b: EncodingGrid): boolean {
  return a.dtype === b.dtype && a.scale === b.scale && a.zeroPoint === b.zeroPoint;
}

const DTYPES: Readonly<Record<string, string>> = { UFIXED_POINT_8: 'uint8', UFIXED_POINT_16: 'uint16', SFIXED_POINT_8: 'int8', SFIXED_POINT_16: 'int16' };

function binaryGrid({ dtype, quantization }: BinaryTensor): EncodingGrid | null {
  if (quantization?.kind !== 'scale_offset') return null;
  return { dtype: DTYPES[dtype] ?? dtype, scale: quantization.scale, zeroPoint: negated(quantization.offset) };
}

function plannedGrid({ element, quantization }: PlannedTensor): EncodingGrid {
  const { scale, offset } = quantization as PlannedQuantization & { readonly kind: 'scale_offset' };
  return { dtype: DTYPES[elementName(element)] ?? elementName(element), scale: Math.fround(scale), zeroPoint: negated(offset) };
}
