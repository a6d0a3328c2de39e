/** Holds every operation of a graph that has run against its model in exact arithmetic, each fed with what it really got. */
import type { QnnData, QnnOperation } from '@tundish/native/qnn';
import { messageOf } from '@tundish/diagnostics';
import type { WeightPaths } from '../compose/compose-into.js';
import type { PlannedTensor, QnnGraphPlan } from '../compose/plan.js';
import { ELEMENT_CODES } from '../inspection/element-types.js';
import { blockScales, constantCodes } from './constant-codes.js';
import { type Gate, gateOf } from './gates.js';
import { type LayerName, layersOf } from './layer-of.js';
import { OPERATION_MODELS } from './models/table.js';
import { type Operand, Unmodelled, isHalf, valuesOf } from './operand.js';

/**
 * Errors are codes of the output: what the processor gave, minus what exact arithmetic gives, clipped to the codes that there are.
 * Of half floats they are shares of the root mean square of the output.
 */
export interface OperationError {
  readonly graph: string;
  /** Name of the operation. */
  readonly node: string;
  /** The vendor's name, with the form of weights, factors or codes where that decides: `Conv2d LPBQ`. */
  readonly kind: string;
  readonly layer: LayerName;
  readonly elements: number;
  readonly max: number;
  readonly mean: number;
  readonly bias: number;
  /** Of sums of products: codes of the output that one unit of the integer sum is worth, of the worst channel. */
  readonly unit: number | null;
  readonly gate: Gate;
  /** The larger of both shares of the gate, of `max` and of `bias`; above 1 it fails. Infinity where an exact operation is not. */
  readonly share: number;
  /** Why no model computes it; null where one does. Such an operation fails. */
  readonly unmodelled: string | null;
}

interface Sums {
  elements: number;
  max: number;
  share: number;
  absolute: number;
  signed: number;
  unit: number | undefined;
  unmodelled: string | null;
}

/** Of one graph, over any number of passes. */
export class OperationErrors {
  readonly #tensors: ReadonlyMap<string, PlannedTensor>;
  readonly #masks: ReadonlySet<string>;
  readonly #sums = new Map<string, Sums>();

  /** @param plan as it was composed, tapped or not */
  constructor(private readonly plan: QnnGraphPlan, private readonly paths: WeightPaths) {
    this.#tensors = new Map(plan.tensors.map((tensor) => [tensor.name, tensor]));
    this.#masks = maskTensors(plan);
  }

  /**
   * Adds one pass.
   *
   * @param codes of every input and every activation, by name
   * @throws QAIRT_FILE when a weight cannot be read
   */
  add(codes: ReadonlyMap<string, QnnData>): void {
    for (const operation of this.plan.operations) {
      const sums = this.#sums.get(operation.name) ?? { elements: 0, max: 0, share: 0, absolute: 0, signed: 0, unit: undefined, unmodelled: null };
      this.#sums.set(operation.name, sums);
      try {
        this.#measure(operation, codes, sums);
      } catch (error) {
        if (!(error instanceof Unmodelled)) throw error;
        sums.unmodelled = messageOf(error);
      }
    }
  }

  /** In the order in which they compute. */
  rows(): OperationError[] {
    const layers = layersOf(this.plan);
    return this.plan.operations.flatMap((operation) => {
      const sums = this.#sums.get(operation.name);
      return sums === undefined ? [] : [this.#row(operation, sums, layers.get(operation.outputs[0] ?? '') ?? 'head')];
    });
  }

  #row(operation: QnnOperation, { elements, max, share, absolute, signed, unit, unmodelled }: Sums, layer: LayerName): OperationError {
    const gate = this.#gate(operation, unit);
    const bias = elements === 0 ? 0 : signed / elements;
    return {
      graph: this.plan.name, node: operation.name, kind: this.#kind(operation), layer, elements, max, mean: elements === 0 ? 0 : absolute / elements, bias, unit: unit ?? null, gate,
      share: unmodelled === null ? Math.max(share, ratio(Math.abs(bias), gate.bias)) : Infinity, unmodelled,
    };
  }

  #measure(operation: QnnOperation, codes: ReadonlyMap<string, QnnData>, sums: Sums): void {
    const output = this.#tensor(operation.outputs[0] ?? '');
    const found = codes.get(output.name);
    const model = OPERATION_MODELS[operation.type];
    if (model === undefined) throw new Unmodelled(`no model of ${operation.type}`);
    if (found === undefined) throw new Unmodelled(`${output.name} was not given`);
    const { expected, unit } = model(operation, operation.inputs.map((name) => this.#operand(name, codes)), output);
    if (expected.length !== found.length) throw new Unmodelled(`${output.name} has ${found.length} elements, its model ${expected.length}`);
    // Floats have no integer sums.
    sums.unit = isHalf(output) ? undefined : unit;
    compare(valuesOf(output, found), expected, { gate: this.#gate(operation, sums.unit), range: rangeOf(output), step: isHalf(output) ? rootMeanSquare(expected) : 1 }, sums);
  }

  #operand(name: string, codes: ReadonlyMap<string, QnnData>): Operand {
    const tensor = this.#tensor(name);
    const found = tensor.data === undefined ? codes.get(name) : constantCodes(tensor, tensor.data, this.paths);
    if (found === undefined) throw new Unmodelled(`${name} was not given`);
    const blocks = blockScales(tensor, this.paths);
    return { tensor, codes: valuesOf(tensor, found), ...(blocks === undefined ? {} : { blockScales: blocks }) };
  }

  #tensor(name: string): PlannedTensor {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new Unmodelled(`there is no tensor ${name}`);
    return tensor;
  }

  #gate(operation: QnnOperation, unit: number | undefined): Gate {
    return gateOf(operation.type, { unit, masks: this.#masksScores(operation), wide: this.#isWide(operation.outputs[0]), half: this.#isHalf(operation.outputs[0]) });
  }

  #kind(operation: QnnOperation): string {
    const { type, inputs, outputs } = operation;
    if (type === 'Conv2d') return `${type} ${weightForm(this.#tensors.get(inputs[1] ?? ''))}`;
    if (type === 'MatMul' && this.#isHalf(outputs[0])) return `${type} fp16 x fp16`;
    if (type === 'MatMul') return `${type} ${this.#isWide(inputs[1]) ? 'u16 x u16' : 'u16 x u8'}`;
    if (type === 'Convert') return `${type} to ${this.#isWide(outputs[0]) ? 16 : 8} bits`;
    return this.#masksScores(operation) ? `${type} of the mask` : type;
  }

  #masksScores({ type, inputs }: QnnOperation): boolean {
    return type === 'ElementWiseAdd' && inputs.some((name) => this.#masks.has(name));
  }

  #isHalf(name = ''): boolean {
    const tensor = this.#tensors.get(name);
    return tensor !== undefined && isHalf(tensor);
  }

  #isWide(name = ''): boolean {
    const element = this.#tensors.get(name)?.element;
    return element === ELEMENT_CODES.UFIXED_POINT_16 || element === ELEMENT_CODES.SFIXED_POINT_16;
  }
}

interface Measure {
  readonly gate: Gate;
  readonly range: readonly [number, number];
  /** What errors are counted in. */
  readonly step: number;
}

function compare(found: QnnData, expected: Float64Array, { gate, range: [low, high], step }: Measure, sums: Sums): void {
  for (let i = 0; i < expected.length; i++) {
    const exact = Math.min(high, Math.max(low, expected[i] as number));
    const error = ((found[i] as number) - exact) / step;
    const size = Math.abs(error);
    // A model that gives no number is as wrong as can be.
    sums.max = size <= sums.max ? sums.max : size;
    sums.share = Math.max(sums.share, ratio(size, gate.max + gate.relative * Math.abs(exact / step)));
    sums.absolute += size;
    sums.signed += error;
  }
  sums.elements += expected.length;
}

/** 1 where all are 0. */
function rootMeanSquare(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length) || 1;
}

function ratio(size: number, limit: number): number {
  if (Number.isNaN(size)) return Infinity;
  return size === 0 ? 0 : size / limit;
}

function rangeOf({ element }: PlannedTensor): readonly [number, number] {
  switch (element) {
    case ELEMENT_CODES.UFIXED_POINT_8: return [0, 255];
    case ELEMENT_CODES.UFIXED_POINT_16: return [0, 65_535];
    case ELEMENT_CODES.SFIXED_POINT_8: return [-128, 127];
    case ELEMENT_CODES.SFIXED_POINT_16: return [-32_768, 32_767];
    case ELEMENT_CODES.FLOAT_16: return [-65_504, 65_504];
    default: return [-Infinity, Infinity];
  }
}

/** The mask, and what is moved from it. */
function maskTensors({ operations }: QnnGraphPlan): ReadonlySet<string> {
  const masks = new Set(['attention_mask']);
  for (const { type, inputs, outputs } of operations) if (['Reshape', 'StridedSlice', 'Concat'].includes(type) && inputs.some((name) => masks.has(name))) for (const name of outputs) masks.add(name);
  return masks;
}

function weightForm(tensor: PlannedTensor | undefined): string {
  if (tensor?.quantization?.kind === 'blockwise') return 'LPBQ';
  if (tensor?.quantization?.kind === 'bitwidth_axis') return `int${tensor.quantization.bits}`;
  return tensor?.element === ELEMENT_CODES.SFIXED_POINT_16 ? 'int16' : 'int8';
}
