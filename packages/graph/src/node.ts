/** Values and nodes: each value knows who reads it, and inputs of a node change only through `replaceInput`. */
import type { DataType } from './data-type.js';
import { graphError } from './errors.js';
import type { Graph } from './graph.js';
import type { Tensor } from './tensor.js';

/** A dimension: a number, or the name of a symbol. */
export type Dim = number | string;

/** Attribute values of a node, one variant per ONNX attribute type that is carried. */
export type Attribute =
  | { readonly type: 'int'; readonly value: number }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'ints'; readonly value: readonly number[] }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'tensor'; readonly value: Tensor };

/** One reading of a value: input `index` of `node`. */
export interface Use {
  readonly node: Node;
  readonly index: number;
}

/** A tensor that flows through the graph: a graph input, an initializer or the output of a node. */
export class Value {
  /** Element type, once known. */
  dtype: DataType | undefined;
  /** Shape, once known. */
  shape: readonly Dim[] | undefined;
  /** Set for initializers only. */
  tensor: Tensor | undefined;
  /** The node that makes this value; undefined for graph inputs and initializers. */
  producer: Node | undefined;
  readonly #uses = new Set<Use>();

  constructor(readonly graph: Graph, readonly name: string) {}

  /** Every node input that reads this value, in the order in which the reads were made. */
  get uses(): readonly Use[] {
    return [...this.#uses];
  }

  /** The nodes that read this value, each once. */
  get consumers(): readonly Node[] {
    return [...new Set(this.uses.map((use) => use.node))];
  }

  /** Redirects every reader, and the graph outputs, to `replacement`. A graph output keeps its own name only if the caller renames. */
  replaceAllUsesWith(replacement: Value): void {
    for (const { node, index } of this.uses) node.replaceInput(index, replacement);
    const outputs = this.graph.outputs;
    outputs.forEach((output, i) => {
      if (output === this) outputs[i] = replacement;
    });
  }

  /** @internal */
  _attach(use: Use): void {
    this.#uses.add(use);
  }

  /** @internal */
  _detach(node: Node, index: number): void {
    for (const use of this.#uses) if (use.node === node && use.index === index) this.#uses.delete(use);
  }
}

/** An operation. An absent optional input is undefined. */
export class Node {
  #inputs: readonly (Value | undefined)[] = [];
  readonly outputs: readonly Value[];

  constructor(
    readonly graph: Graph,
    readonly name: string,
    readonly opType: string,
    readonly domain: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly Value[],
    readonly attributes: Map<string, Attribute>,
  ) {
    this.outputs = outputs;
    for (const output of outputs) output.producer = this;
    inputs.forEach((input, index) => this.replaceInput(index, input));
  }

  get inputs(): readonly (Value | undefined)[] {
    return this.#inputs;
  }

  /** The input at `index`. @throws GRAPH_UNKNOWN_VALUE when it is absent */
  input(index: number): Value {
    const value = this.#inputs[index];
    if (value === undefined) throw graphError('GRAPH_UNKNOWN_VALUE', { what: `${this.opType} ${this.name} has no input ${index}` });
    return value;
  }

  /** The output at `index`, the first by default. */
  output(index = 0): Value {
    const value = this.outputs[index];
    if (value === undefined) throw graphError('GRAPH_UNKNOWN_VALUE', { what: `${this.opType} ${this.name} has no output ${index}` });
    return value;
  }

  replaceInput(index: number, value: Value | undefined): void {
    this.#inputs[index]?._detach(this, index);
    // A new array: whoever took `inputs` before keeps what it saw.
    const inputs = [...this.#inputs];
    while (inputs.length < index) inputs.push(undefined);
    inputs[index] = value;
    this.#inputs = inputs;
    value?._attach({ node: this, index });
  }

  int(name: string): number | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.type === 'int' ? attribute.value : undefined;
  }

  ints(name: string): readonly number[] | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.type === 'ints' ? attribute.value : undefined;
  }

  float(name: string): number | undefined {
    const attribute = this.attributes.get(name);
    return attribute?.type === 'float' ? attribute.value : undefined;
  }
}
