/** Where a module puts its nodes: a graph, the module path that names nodes and parameters, and the source of the parameters. */
import { type Attribute, DataType, type Graph, type Tensor, type Value } from '@tundish/graph';

/** Gives a tensor of the checkpoint as a byte range, checked against the shape that the configuration asks for. */
export type TensorSource = (name: string, shape: readonly number[]) => Tensor;

/** A module of the model, such as `/model/layers.0/self_attn`. */
export interface Scope {
  readonly graph: Graph;
  readonly path: string;
  readonly tensors: TensorSource;
}

/** The scope of a module inside `scope`. */
export function within(scope: Scope, module: string): Scope {
  return { ...scope, path: `${scope.path}/${module}` };
}

export const int = (value: number): Attribute => ({ type: 'int', value });
export const float = (value: number): Attribute => ({ type: 'float', value });
export const ints = (...value: readonly number[]): Attribute => ({ type: 'ints', value });

/** Adds a node named after its module and operator (`…/self_attn/MatMul`, `…/MatMul_1`). @returns its outputs */
export function emitAll(scope: Scope, opType: string, inputs: readonly Value[], attributes: Readonly<Record<string, Attribute>>, outputs: readonly string[] | number): readonly Value[] {
  const name = scope.graph.uniqueName(`${scope.path}/${opType}`);
  return scope.graph.addNode({ opType, name, inputs, attributes, outputs }).outputs;
}

/** Adds a node of one output. `output` names it where the IO contract does. */
export function emit(scope: Scope, opType: string, inputs: readonly Value[], attributes: Readonly<Record<string, Attribute>> = {}, output?: string): Value {
  const [value] = emitAll(scope, opType, inputs, attributes, output === undefined ? 1 : [output]);
  return value as Value;
}

/** A small constant that all modules of the graph share under one name. */
export function constant(scope: Scope, name: string, tensor: Tensor): Value {
  return scope.graph.find(name) ?? scope.graph.addInitializer(name, tensor);
}

/**
 * The parameter `weight` or `bias` of this module as float32: the checkpoint's own bytes, behind a Cast unless they are
 * float32 already. The initializer has the checkpoint's name and is shared by everything that reads it.
 */
export function parameter(scope: Scope, kind: 'weight' | 'bias', shape: readonly number[]): Value {
  return parameterOf(scope, `${scope.path.slice(1).replaceAll('/', '.')}.${kind}`, shape);
}

/** The parameter of that checkpoint name, cast in this scope; tied parameters are read through here. */
export function parameterOf(scope: Scope, name: string, shape: readonly number[]): Value {
  const stored = scope.graph.find(name) ?? scope.graph.addInitializer(name, scope.tensors(name, shape));
  if (stored.dtype === DataType.FLOAT) return stored;
  return emit(scope, 'Cast', [stored], { to: int(DataType.FLOAT) });
}
