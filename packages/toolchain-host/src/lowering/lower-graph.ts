/**
 * The host lowering: an adapted graph with encodings becomes a graph that ONNX Runtime executes at the numerics of the
 * device. Weights stay byte ranges, linear layers become products of codes (or MatMulNBits where activations are float), and every encoded value passes through its codes.
 * Codes are moved as codes and widened where something computes with them: a small model spends its time between nodes.
 */
import { printable } from '@tundish/diagnostics';
import { DataType, type Encodings, Graph, type Model, type Node, type PerTensorEncoding, type Value, constantValues, movedInputs } from '@tundish/graph';
import { hostError } from '../errors.js';
import { OPERATOR_DOMAIN } from '../operator-domain.js';
import { type Arithmetic, EXACT, type Numerics, type RotaryForm } from './arithmetic.js';
import { cutCache, headsAsCut, joinCache } from './cache-heads.js';
import { inheritedEncoding } from './carried-encoding.js';
import { isCodeLinear, lowerCodeProduct } from './code-product.js';
import type { Coded } from './coded.js';
import { lowerGather } from './embedding.js';
import { GridConstants, codeType, sameGrid } from './grid-constants.js';
import { lowerAsHtp } from './htp.js';
import { joinLinear } from './joined-linear.js';
import { lowerLinear } from './linear.js';
import { rescaledInput } from './rescale.js';
import { lowerRotary } from './rotary.js';
import { expandRotations } from './rotation.js';
import { uncovered } from './uncovered.js';
import { assertCheapConstant } from './weight-expression.js';

export interface Lowered {
  readonly model: Model;
  /** Encoding of each quantized graph input and output, by name. */
  readonly boundary: ReadonlyMap<string, PerTensorEncoding>;
}

const NO_ENCODINGS: Encodings = { activations: new Map(), parameters: new Map() };

/**
 * Lowers `model`, which is not changed. Without encodings of activations the result computes the same in floating point.
 *
 * @param name name of the new graph
 * @param products whether products of codes become operators of our own, which only our addon runs
 * @throws HOST_ENCODING_MISSING listing every float value that would be left in floating point
 * @throws HOST_WEIGHT_FORM, HOST_GRAPH_TYPE, HOST_NUMERICS
 */
export function lowerModel(model: Model, encodings: Encodings | undefined, name: string, products: boolean, arithmetic: Arithmetic = EXACT): Lowered {
  const source = expandRotations(model);
  const lowering = new Lowering(source.graph, encodings, { name, products, ...arithmetic });
  lowering.run();
  const graph = lowering.graph;
  const opsets = new Map(source.opsetImports);
  for (const domain of ['com.microsoft', OPERATOR_DOMAIN]) if (graph.nodes.some((node) => node.domain === domain)) opsets.set(domain, 1);
  return { model: { ...source, opsetImports: opsets, graph }, boundary: lowering.boundary };
}

class Lowering {
  readonly graph: Graph;
  readonly boundary = new Map<string, PerTensorEncoding>();
  readonly grids: GridConstants;
  readonly #encodings: Encodings;
  readonly #quantized: boolean;
  readonly #constants: ReadonlySet<Value>;
  /** Source value to the value that computing readers take: float where the source is float. */
  readonly #lowered = new Map<Value, Value>();
  /** Source value to its codes, which are widened for the first reader that computes. */
  readonly #coded = new Map<Value, Coded>();
  readonly #outputs = new Map<Value, Value>();
  readonly #joined = new Map<Node, Value>();
  readonly #carried = new Map<Value, PerTensorEncoding>();
  readonly #missing: string[] = [];

  readonly rotaryEmbedding: RotaryForm;
  readonly #products: boolean;
  readonly #numerics: Numerics;

  constructor(readonly source: Graph, encodings: Encodings | undefined, { name, products, numerics, rotaryEmbedding }: Arithmetic & { readonly name: string; readonly products: boolean }) {
    this.graph = new Graph(name);
    this.rotaryEmbedding = rotaryEmbedding;
    this.#products = products;
    this.#numerics = numerics;
    this.grids = new GridConstants(this.graph);
    const { activations, parameters } = encodings ?? NO_ENCODINGS;
    this.#encodings = { activations: headsAsCut(source, activations), parameters };
    this.#quantized = this.#encodings.activations.size > 0;
    this.#constants = constantValues(source);
  }

  run(): void {
    for (const input of this.source.inputs) this.#input(input);
    for (const node of this.source.sortedNodes()) if (!this.#constants.has(node.output())) this.#node(node);
    if (this.#missing.length > 0) throw uncovered(this.#missing);
    for (const output of this.source.outputs) this.graph.outputs.push(this.#outputs.get(output) ?? this.resolve(output));
    this.graph.prune();
  }

  get parameters(): Encodings['parameters'] {
    return this.#encodings.parameters;
  }

  resolve(value: Value): Value {
    const known = this.#lowered.get(value);
    if (known !== undefined) return known;
    const made = this.#widened(value) ?? (value.tensor === undefined ? this.#constantNode(value) : this.#initializer(value));
    this.#lowered.set(value, made);
    return made;
  }

  #widened(value: Value): Value | undefined {
    const coded = this.#coded.get(value);
    return coded === undefined ? undefined : this.grids.dequantize(coded.codes, coded.encoding, `${value.name}_dequantized`);
  }

  #initializer(value: Value): Value {
    const tensor = value.tensor as NonNullable<Value['tensor']>;
    const copy = this.graph.find(value.name) ?? this.graph.addInitializer(value.name, tensor);
    const encoding = this.#encodings.activations.get(value.name) ?? this.parameters.get(value.name);
    if (encoding?.kind !== 'per-tensor' || tensor.dtype !== DataType.FLOAT) return copy;
    return this.grids.dequantize(this.grids.quantize(copy, encoding, `${value.name}_codes`), encoding, `${value.name}_dequantized`);
  }

  #constantNode(value: Value): Value {
    const node = value.producer as Node;
    assertCheapConstant(node);
    this.#copy(node, node.outputs.map((output) => output.name));
    return this.graph.value(value.name);
  }

  #input(value: Value): void {
    const encoding = this.#encodings.activations.get(value.name);
    if (encoding === undefined) {
      this.#lowered.set(value, this.graph.addInput(value.name, typeOf(value), value.shape ?? []));
      if (this.#quantized && typeOf(value) === DataType.FLOAT && value.uses.length > 0) this.#missing.push(value.name);
      return;
    }
    this.setCodes(value, { codes: this.graph.addInput(value.name, codeType(encoding), value.shape ?? []), encoding });
    this.boundary.set(value.name, encoding);
  }

  setCodes(value: Value, coded: Coded): void {
    this.#coded.set(value, coded);
    this.#carried.set(value, coded.encoding);
    if (!this.source.outputs.includes(value)) return;
    this.#outputs.set(value, coded.codes);
    this.boundary.set(value.name, coded.encoding);
  }

  #node(node: Node): void {
    if (this.#numerics === 'htp' && lowerAsHtp(this, node)) return;
    if (this.#numerics === 'exact' && this.#loweredAsCodes(node)) return;
    const inherited = this.#quantized ? inheritedEncoding(node, this.#carried) : undefined;
    const names = node.outputs.map((output) => this.#rawName(output, inherited));
    const single = names[0] as string;
    const special = this.#joinedLinear(node) ?? lowerLinear(this, node, single) ?? lowerGather(this, node, single);
    const raw = special === undefined ? this.#copy(node, names) : [special];
    node.outputs.forEach((output, i) => this.#finish(output, raw[i] as Value, inherited));
  }

  /** True when the outputs of `node` are there as codes, for one of several reasons. */
  #loweredAsCodes(node: Node): boolean {
    return this.#rotated(node) || this.#movedByHeads(node) || this.#movedAsCodes(node) || this.#rescaled(node) || this.#multipliedExactly(node);
  }

  /** True when `node` cuts a cache into heads with grids of their own, or joins it from them: codes stay what they are. */
  #movedByHeads(node: Node): boolean {
    const heads = cutCache(this, node);
    heads?.forEach((head, i) => this.setCodes(node.output(i), head));
    if (heads !== undefined) return true;
    const joined = joinCache(this, node, this.#encodings.activations.get(node.output().name));
    if (joined !== undefined) this.setCodes(node.output(), joined);
    return joined !== undefined;
  }

  /** True when `node` only moves values that are there as codes, and its output has their grid. */
  #movedAsCodes(node: Node): boolean {
    const sources = movedInputs(node) ?? [];
    const coded = sources.map((source) => (source === undefined ? undefined : this.#coded.get(source)));
    const [first] = coded;
    if (first === undefined || node.outputs.length > 1 || !coded.every((other) => sameGrid(first.encoding, other?.encoding))) return false;
    const output = node.output();
    const own = this.#encodings.activations.get(output.name);
    if (own !== undefined && !sameGrid(own, first.encoding)) return false;
    const inputs = node.inputs.map((input, i) => (input === undefined ? undefined : i < coded.length ? coded[i]?.codes : this.resolve(input)));
    const name = this.source.outputs.includes(output) ? output.name : `${output.name}_codes`;
    const codes = this.graph.addNode({ opType: node.opType, domain: node.domain, name: node.name, inputs, outputs: [name], attributes: Object.fromEntries(node.attributes) }).output();
    codes.dtype = codeType(first.encoding);
    codes.shape = output.shape;
    this.setCodes(output, { codes, encoding: first.encoding });
    return true;
  }

  /** True when `node` only scales a value whose codes stay what they are: another grid over the same codes. */
  #rescaled(node: Node): boolean {
    const output = node.output();
    const encoding = this.#encodings.activations.get(output.name);
    const source = encoding === undefined || this.source.outputs.includes(output) ? undefined : rescaledInput(node, encoding, this.#carried);
    const coded = source === undefined ? undefined : this.#coded.get(source);
    if (coded === undefined || encoding === undefined) return false;
    this.setCodes(output, { codes: coded.codes, encoding });
    return true;
  }

  /** True when `node` ends a rotation that is lowered as a whole; its operations, lowered already, are then pruned. */
  #rotated(node: Node): boolean {
    const isOutput = this.source.outputs.includes(node.output());
    const coded = isOutput ? undefined : lowerRotary(this, node);
    if (coded !== undefined) this.setCodes(node.output(), coded);
    return coded !== undefined;
  }

  /** True when `node` multiplies codes, and its output has a grid. */
  #multipliedExactly(node: Node): boolean {
    const output = node.output();
    const name = this.source.outputs.includes(output) ? output.name : `${output.name}_codes`;
    const coded = this.#products ? lowerCodeProduct(this, node, name) : undefined;
    if (coded !== undefined) this.setCodes(output, coded);
    return coded !== undefined;
  }

  encodingOf(value: Value): PerTensorEncoding | undefined {
    return this.#carried.get(value) ?? this.#encodings.activations.get(value.name);
  }

  codedOf(value: Value): Coded | undefined {
    return this.#coded.get(value);
  }

  get products(): 'Code' | 'Htp' {
    return this.#numerics === 'htp' ? 'Htp' : 'Code';
  }

  isOutput(value: Value): boolean {
    return this.source.outputs.includes(value);
  }

  isConstant(value: Value): boolean {
    return this.#constants.has(value);
  }

  /** Rows of an embedding are floats until somebody computes with them; those of 8 bits are the same reals on a grid of 16. */
  codesOf(value: Value): Coded | undefined {
    const known = this.#coded.get(value);
    const carried = this.#carried.get(value);
    if (known !== undefined || carried === undefined) return known;
    const encoding: PerTensorEncoding = carried.dtype === 'uint8' ? { ...carried, dtype: 'uint16', scale: carried.scale / 256, zeroPoint: carried.zeroPoint * 256 } : carried;
    const coded = { codes: this.grids.quantize(this.resolve(value), encoding, `${value.name}_codes`), encoding };
    this.setCodes(value, coded);
    return coded;
  }

  /** The output of a product that is computed together with others of the same input. */
  #joinedLinear(node: Node): Value | undefined {
    const isAlone = (linear: Node): boolean => this.source.outputs.includes(linear.output()) || (this.#products && isCodeLinear(this, linear));
    if (!this.#joined.has(node)) joinLinear(this, node, isAlone)?.forEach((output, linear) => this.#joined.set(linear, output));
    return this.#joined.get(node);
  }

  #copy(node: Node, names: readonly string[]): readonly Value[] {
    const inputs = node.inputs.map((input) => (input === undefined ? undefined : this.resolve(input)));
    const attributes = Object.fromEntries(node.attributes);
    const copy = this.graph.addNode({ opType: node.opType, domain: node.domain, name: node.name, inputs, outputs: names, attributes });
    copy.outputs.forEach((output, i) => {
      output.dtype = node.output(i).dtype;
      output.shape = node.output(i).shape;
    });
    return copy.outputs;
  }

  /** A value that is about to be quantized leaves its own name to its codes if they are a graph output. */
  #rawName(value: Value, inherited: PerTensorEncoding | undefined): string {
    return this.#quantized && typeOf(value) === DataType.FLOAT && this.#carries(value, inherited) !== undefined ? `${value.name}_float` : value.name;
  }

  #carries(value: Value, inherited: PerTensorEncoding | undefined): PerTensorEncoding | undefined {
    return this.#encodings.activations.get(value.name) ?? inherited;
  }

  #finish(value: Value, raw: Value, inherited: PerTensorEncoding | undefined): void {
    raw.dtype = typeOf(value);
    raw.shape = value.shape;
    const isOutput = this.source.outputs.includes(value);
    if (!this.#quantized || raw.dtype !== DataType.FLOAT) return void this.#lowered.set(value, raw);
    const encoding = this.#carries(value, inherited);
    if (encoding === undefined) {
      this.#lowered.set(value, raw);
      if (value.uses.length > 0 || isOutput) this.#missing.push(value.name);
      return;
    }
    if (sameGrid(encoding, inherited)) {
      this.#lowered.set(value, raw);
      this.#carried.set(value, encoding);
      if (!isOutput) return;
    }
    this.setCodes(value, { codes: this.grids.quantize(raw, encoding, isOutput ? value.name : `${value.name}_codes`), encoding });
  }
}

function typeOf(value: Value): DataType {
  if (value.dtype !== undefined) return value.dtype;
  throw hostError('HOST_GRAPH_TYPE', { what: `the element type of ${printable(value.name)} is not known`, why: 'lowering covers float values only, and must know them', fix: 'run shape inference on the graph first' });
}
