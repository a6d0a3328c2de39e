/**
 * The graph: owner of values and nodes. Names are unique and made by deterministic counters, so equal construction gives
 * equal bytes.
 */
import { printable } from '@tundish/diagnostics';
import type { DataType } from './data-type.js';
import { graphError } from './errors.js';
import { type Attribute, type Dim, Node, Value } from './node.js';
import type { Tensor } from './tensor.js';

/** What `Graph.addNode` takes; names are made when absent. */
export interface NodeSpec {
  readonly opType: string;
  readonly domain?: string;
  readonly name?: string;
  readonly inputs: readonly (Value | undefined)[];
  /** Names of the outputs, or their number (1 by default), named after the node. */
  readonly outputs?: readonly string[] | number;
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

/** A graph owns its values and nodes. `nodes` is in insertion order; `sortedNodes` is topological and stable. */
export class Graph {
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  readonly #nodes = new Set<Node>();
  readonly #values = new Map<string, Value>();
  readonly #nodeNames = new Set<string>();
  readonly #counters = new Map<string, number>();

  constructor(readonly name: string) {}

  get nodes(): readonly Node[] {
    return [...this.#nodes];
  }

  get values(): readonly Value[] {
    return [...this.#values.values()];
  }

  get initializers(): readonly Value[] {
    return this.values.filter((value) => value.tensor !== undefined);
  }

  find(name: string): Value | undefined {
    return this.#values.get(name);
  }

  /** @throws GRAPH_UNKNOWN_VALUE */
  value(name: string): Value {
    const value = this.#values.get(name);
    if (value === undefined) throw graphError('GRAPH_UNKNOWN_VALUE', { what: `no value ${name} in graph ${this.name}` });
    return value;
  }

  addInput(name: string, dtype: DataType, shape: readonly Dim[]): Value {
    const value = this.addValue(name, dtype, shape);
    this.inputs.push(value);
    return value;
  }

  addInitializer(name: string, tensor: Tensor): Value {
    const value = this.addValue(name, tensor.dtype, tensor.dims);
    value.tensor = tensor;
    return value;
  }

  /** A value that is not yet made by anything; readers of foreign files need it. */
  addValue(name: string, dtype?: DataType, shape?: readonly Dim[]): Value {
    if (name === '' || this.#values.has(name)) throw graphError('GRAPH_NAME_TAKEN', { what: `value ${name || '(empty name)'} exists already` });
    const value = new Value(this, name);
    value.dtype = dtype;
    value.shape = shape;
    this.#values.set(name, value);
    return value;
  }

  addNode(spec: NodeSpec): Node {
    const name = spec.name ?? this.uniqueName(spec.opType, this.#nodeNames);
    if (this.#nodeNames.has(name)) throw graphError('GRAPH_NAME_TAKEN', { what: `node ${name} exists already` });
    const outputs = typeof spec.outputs === 'object' ? spec.outputs : Array.from({ length: spec.outputs ?? 1 }, (_, i) => `${name}_output_${i}`);
    const made = outputs.map((output) => this.#values.get(output) ?? this.addValue(output));
    for (const output of made) {
      if (output.producer !== undefined || output.tensor !== undefined || this.inputs.includes(output)) {
        throw graphError('GRAPH_NAME_TAKEN', { what: `${output.name} is made by ${output.producer?.name ?? 'the graph'} and by ${name}` });
      }
    }
    this.#nodeNames.add(name);
    const node = new Node(this, name, spec.opType, spec.domain ?? '', spec.inputs, made, new Map(Object.entries(spec.attributes ?? {})));
    this.#nodes.add(node);
    return node;
  }

  /** A name that no value and no node has: `base`, else `base_1`, `base_2`, … */
  uniqueName(base: string, also: ReadonlySet<string> = this.#nodeNames): string {
    let n = this.#counters.get(base) ?? 0;
    let name = n === 0 ? base : `${base}_${n}`;
    while (this.#values.has(name) || also.has(name) || this.#values.has(`${name}_output_0`)) name = `${base}_${++n}`;
    this.#counters.set(base, n);
    return name;
  }

  /** Replaces the node that makes `value` by another one with the same single output; readers and name stay. */
  replaceProducer(value: Value, spec: Omit<NodeSpec, 'outputs'>): Node {
    const old = value.producer;
    if (old === undefined || old.outputs.length !== 1) {
      throw graphError('GRAPH_IN_USE', { what: `${value.name} is not the only output of a node` });
    }
    old.inputs.forEach((_, index) => old.replaceInput(index, undefined));
    this.#nodes.delete(old);
    this.#nodeNames.delete(old.name);
    value.producer = undefined;
    return this.addNode({ ...spec, outputs: [value.name] });
  }

  /** Removes a node whose outputs nobody reads. @throws GRAPH_IN_USE */
  removeNode(node: Node): void {
    const used = node.outputs.find((output) => output.uses.length > 0 || this.outputs.includes(output));
    if (used !== undefined) throw graphError('GRAPH_IN_USE', { what: `${node.opType} ${node.name} cannot be removed: ${used.name} is used` });
    node.inputs.forEach((_, index) => node.replaceInput(index, undefined));
    for (const output of node.outputs) this.#values.delete(output.name);
    this.#nodes.delete(node);
    this.#nodeNames.delete(node.name);
  }

  /** Removes a graph input or an initializer that nobody reads. @throws GRAPH_IN_USE */
  removeValue(value: Value): void {
    if (value.uses.length > 0 || value.producer !== undefined || this.outputs.includes(value)) {
      throw graphError('GRAPH_IN_USE', { what: `${value.name} cannot be removed: it is used` });
    }
    this.#values.delete(value.name);
    const at = this.inputs.indexOf(value);
    if (at >= 0) this.inputs.splice(at, 1);
  }

  /** Drops nodes and initializers that no graph output depends on; graph inputs stay. */
  prune(): void {
    for (const node of this.sortedNodes().reverse()) {
      if (node.outputs.every((output) => output.uses.length === 0 && !this.outputs.includes(output))) this.removeNode(node);
    }
    for (const value of this.initializers) if (value.uses.length === 0 && !this.outputs.includes(value)) this.removeValue(value);
  }

  /** Nodes in an order in which every input is made before it is read; insertion order decides where that leaves a choice. @throws GRAPH_CYCLE */
  sortedNodes(): Node[] {
    const done = new Set<Node>();
    const open = new Set<Node>();
    const sorted: Node[] = [];
    for (const start of this.#nodes) {
      const stack: Node[] = [start];
      while (stack.length > 0) {
        const node = stack[stack.length - 1] as Node;
        if (done.has(node)) {
          stack.pop();
          continue;
        }
        open.add(node);
        const pending = node.inputs.map((input) => input?.producer).find((producer) => producer !== undefined && !done.has(producer));
        if (pending === undefined) {
          stack.pop();
          open.delete(node);
          done.add(node);
          sorted.push(node);
        } else if (open.has(pending)) {
          const cycle = [...stack.slice(stack.indexOf(pending)), pending].map((n) => printable(n.name)).join(' -> ');
          throw graphError('GRAPH_CYCLE', {
            what: `cycle: ${cycle}`,
            why: 'each of these nodes needs a result of the next before it can run',
            evidence: { detail: `graph ${printable(this.name)}` },
            fix: 'export the model again: a graph of one pass has no loops',
          });
        } else {
          stack.push(pending);
        }
      }
    }
    return sorted;
  }
}

/** A graph with the header that ONNX wants around it. */
export interface Model {
  readonly irVersion: number;
  /** Domain to version; the default domain is the empty string. */
  readonly opsetImports: ReadonlyMap<string, number>;
  readonly producerName: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly graph: Graph;
}

/** The imports of the domains that nodes are of; that of the default domain stays in any case. */
export function usedOpsets({ opsetImports, graph }: Model): ReadonlyMap<string, number> {
  const used = new Set(['', ...graph.nodes.map(({ domain }) => domain)]);
  return new Map([...opsetImports].filter(([domain]) => used.has(domain)));
}
