/** The plan under construction: tensors with unique names, operations in order, and which tensor stands for which value. */
import { isDeepStrictEqual } from 'node:util';
import { printable } from '@tundish/diagnostics';
import { DataType, type ParameterEncoding, type Value, sanitiseName } from '@tundish/graph';
import type { QnnOperation, QnnParameter } from '@tundish/native/qnn';
import { type ActivationEncoding, encodedAs, sameGrid } from './element.js';
import { ELEMENT_CODES, TENSOR_KINDS } from '../inspection/element-types.js';
import { composeError } from './errors.js';
import type { FoldedScales } from './fold-scales.js';
import type { PlannedTensor } from './plan.js';

/** Activations have four axes: a tensor [1, 1, AR, C] is then NHWC with W = AR, and projections need no transposes. */
const RANK = 4;

/** What an operation is made of; the composition adds the name. */
export interface OperationSpec {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly parameters?: readonly QnnParameter[];
}

export interface CompositionSource {
  readonly encodings: ReadonlyMap<Value, ActivationEncoding>;
  readonly parameters: ReadonlyMap<string, ParameterEncoding>;
  readonly folded: FoldedScales;
}

export class Composition {
  readonly tensors: PlannedTensor[] = [];
  readonly operations: QnnOperation[] = [];
  readonly #byValue = new Map<Value, string>();
  readonly #outputs = new Map<Value, string>();
  readonly #constants = new Map<string, PlannedTensor>();
  readonly #names = new Set<string>();

  constructor(readonly source: CompositionSource) {}

  /** Declares an input in its own shape, and gives it four axes for those who compute with it. */
  input(value: Value): PlannedTensor {
    const planned = this.#boundary(value, TENSOR_KINDS.input);
    const dims = this.dims(value);
    if (value.dtype !== DataType.FLOAT || planned.dims.length === RANK) {
      this.#byValue.set(value, planned.name);
      return planned;
    }
    const spread = this.internal(`${planned.name}_nhwc`, dims, this.encodingOf(value));
    this.operate({ type: 'Reshape', inputs: [planned.name] }, spread);
    this.#byValue.set(value, spread);
    return planned;
  }

  output(value: Value): PlannedTensor {
    const planned = this.#boundary(value, TENSOR_KINDS.output);
    this.#outputs.set(value, planned.name);
    return planned;
  }

  /** The tensor that stands for `value`, of four axes unless it holds integers. */
  tensorOf(value: Value): string {
    const name = this.#byValue.get(value);
    if (name !== undefined) return name;
    throw composeError('QAIRT_OP_UNSUPPORTED', { what: `${printable(value.name)} is read as an activation`, why: 'it is a constant, or no operation that was composed makes it' });
  }

  encodingOf(value: Value): ActivationEncoding {
    const encoding = this.source.encodings.get(value);
    if (encoding !== undefined) return encoding;
    throw composeError('QAIRT_ENCODING_MISSING', { what: `${printable(value.name)} has no encoding` });
  }

  /** Shape of `value` with leading axes of 1, so that there are four. @throws QAIRT_GRAPH_SHAPE */
  dims(value: Value): readonly number[] {
    const dims = staticDims(value);
    if (dims.length <= RANK) return [...Array<number>(RANK - dims.length).fill(1), ...dims];
    throw composeError('QAIRT_GRAPH_SHAPE', { what: `${printable(value.name)} has ${dims.length} axes`, why: `activations have at most ${RANK}` });
  }

  /** An axis of `value`, also from the back, among its four. */
  axis(value: Value, axis: number): number {
    const rank = staticDims(value).length;
    return (axis < 0 ? axis + rank : axis) + RANK - rank;
  }

  /** Adds the operation that computes `value`. */
  make(value: Value, spec: OperationSpec): void {
    const output = this.#outputs.get(value);
    const name = sanitiseName(value.name);
    const isDirect = output !== undefined && staticDims(value).length === RANK;
    const target = isDirect ? output : this.internal(output === undefined ? name : `${name}_nhwc`, this.dims(value), this.encodingOf(value));
    this.operate(spec, target);
    if (output !== undefined && !isDirect) this.operate({ type: 'Reshape', inputs: [target] }, output);
    this.#byValue.set(value, target);
  }

  /**
   * Adds the operation that moves `source` into `value`, none where only axes of 1 come or go, and a Convert where the two
   * have different grids.
   */
  move(value: Value, source: Value, spec?: OperationSpec): void {
    const from = this.encodingOf(source);
    const same = sameGrid(from, this.encodingOf(value));
    if (same && spec !== undefined) return this.make(value, spec);
    if (!same) return this.make(value, { type: 'Convert', inputs: [spec === undefined ? this.tensorOf(source) : this.#moved(value, from, spec)] });
    if (this.#outputs.has(value)) return this.make(value, { type: 'Reshape', inputs: [this.tensorOf(source)] });
    this.#byValue.set(value, this.tensorOf(source));
  }

  #moved(value: Value, encoding: ActivationEncoding, spec: OperationSpec): string {
    const moved = this.internal(`${sanitiseName(value.name)}_moved`, this.dims(value), encoding);
    this.operate(spec, moved);
    return moved;
  }

  /** Declares a tensor inside the graph. @returns its name */
  internal(name: string, dims: readonly number[], encoding: ActivationEncoding): string {
    const { element, ...quantized } = encodedAs(encoding);
    return this.#declare({ name: this.#unique(name), kind: TENSOR_KINDS.inside, element, dims, ...quantized });
  }

  /** Declares a constant, once for each name and grid: graphs of one context share constants of equal content. @returns its name */
  constant(name: string, constant: Omit<PlannedTensor, 'name' | 'kind'>): string {
    const known = this.#constants.get(name);
    if (known !== undefined && isDeepStrictEqual(known.quantization, constant.quantization)) return known.name;
    const made = { name: this.#unique(sanitiseName(name)), kind: TENSOR_KINDS.constant, ...constant };
    this.#constants.set(name, made);
    return this.#declare(made);
  }

  /** Appends an operation; it is named after what it makes. */
  operate({ type, inputs, parameters = [] }: OperationSpec, output: string): void {
    this.operations.push({ name: `${type}_${output}`, type, inputs, outputs: [output], parameters: parameters.map((parameter) => this.#owned(parameter, output)) });
  }

  /** Parameters that are tensors have names of their own in the graph. */
  #owned(parameter: QnnParameter, output: string): QnnParameter {
    return 'tensor' in parameter ? { ...parameter, tensor: { ...parameter.tensor, name: this.#unique(`${output}_${parameter.name}`) } } : parameter;
  }

  #boundary(value: Value, kind: number): PlannedTensor {
    const dims = staticDims(value);
    const tensor = { name: this.#unique(sanitiseName(value.name)), kind, dims };
    if (value.dtype !== DataType.FLOAT && value.dtype !== DataType.INT32) throw composeError('QAIRT_GRAPH_SHAPE', { what: `${printable(value.name)} is neither FLOAT nor INT32`, why: 'inputs and outputs of a graph are activations or token ids' });
    const encoding = value.dtype === DataType.FLOAT ? this.encodingOf(value) : undefined;
    const planned = encoding === undefined ? { ...tensor, element: ELEMENT_CODES.INT_32 } : { ...tensor, ...encodedAs(encoding) };
    this.#declare(planned);
    return planned;
  }

  #declare(tensor: PlannedTensor): string {
    this.tensors.push(tensor);
    return tensor.name;
  }

  #unique(name: string): string {
    let free = name;
    for (let i = 1; this.#names.has(free); i++) free = `${name}_${i}`;
    this.#names.add(free);
    return free;
  }
}

/** @throws QAIRT_GRAPH_SHAPE */
export function staticDims(value: Value): readonly number[] {
  const { shape } = value;
  if (shape?.every((dim) => typeof dim === 'number') === true) return shape as readonly number[];
  throw composeError('QAIRT_GRAPH_SHAPE', { what: `the shape of ${printable(value.name)} is ${shape === undefined ? 'not known' : `[${shape}]`}`, why: 'the compiler takes static shapes only', fix: 'run shape inference on the graph first' });
}
