/** Rotations of weights in standard operators, which ONNX Runtime folds: our Hadamard operator is not one that it runs. */
import { type Attribute, type Graph, type InlineTensor, type Model, type Node, type Rotation, TUNDISH_DOMAIN, type Value, cloneModel, hadamard, hadamardTensor, int64Tensor, rotationOf, usedOpsets } from '@tundish/graph';

/** The model without rotations, which computes the same to float32 rounding; the given one when it imports no operators of ours. */
export function expandRotations(model: Model): Model {
  if (!model.opsetImports.has(TUNDISH_DOMAIN)) return model;
  const expanded = cloneModel(model);
  const { graph } = expanded;
  for (const node of graph.sortedNodes()) {
    const rotation = rotationOf(node);
    if (rotation !== undefined) expand(graph, node, rotation);
  }
  return { ...expanded, opsetImports: usedOpsets(expanded) };
}

/** H [n,n] = outer [p,p] ⊗ inner [q,q]: two products over n / p and n / q terms instead of one over n. */
interface Factors {
  readonly p: number;
  readonly q: number;
}

function expand(graph: Graph, node: Node, { axis, size }: Rotation): void {
  const output = node.output();
  const dims = (output.shape ?? []).map(Number);
  const [before, after] = [product(dims.slice(0, axis)) * ((dims[axis] as number) / size), product(dims.slice(axis + 1))];
  const { p, q } = factorsOf(size);
  const emit = (opType: string, inputs: readonly Value[]): Value => {
    const value = graph.addNode({ opType, name: graph.uniqueName(`${node.name}/${opType}`), inputs }).output();
    value.dtype = output.dtype;
    return value;
  };
  const view = (value: Value, shape: readonly number[]): Value => emit('Reshape', [value, constant(graph, `rotation.dims.${shape.join('x')}`, () => int64Tensor(shape))]);
  const [outer, inner] = [rotationTensor(graph, p), rotationTensor(graph, q)];
  const groups = view(node.input(0), after === 1 ? [before, p, q] : [before * p, q, after]);
  // The tensor is the transpose of H: it stands on the left as it is, and on the right transposed.
  const byInner = after === 1 ? emit('MatMul', [groups, transposed(graph, inner)]) : view(emit('MatMul', [inner, groups]), [before, p, q * after]);
  const rotated = emit('MatMul', [outer, byInner]);
  graph.replaceProducer(output, { opType: 'Reshape', name: node.name, inputs: [rotated, constant(graph, `rotation.dims.${dims.join('x')}`, () => int64Tensor(dims))] });
}

/** p * q = size, near each other; the core of the Hadamard matrix is in p. */
function factorsOf(size: number): Factors {
  const { order, sylvester } = hadamard(size);
  let [p, q] = [order, sylvester];
  while (p * 2 <= q / 2) [p, q] = [p * 2, q / 2];
  return { p, q };
}

function rotationTensor(graph: Graph, size: number): Value {
  return constant(graph, `rotation.${size}`, () => hadamardTensor(size));
}

function transposed(graph: Graph, matrix: Value): Value {
  const name = `${matrix.name}.transposed`;
  const attributes: Record<string, Attribute> = { perm: { type: 'ints', value: [1, 0] } };
  return graph.find(name) ?? graph.addNode({ opType: 'Transpose', name, inputs: [matrix], outputs: [name], attributes }).output();
}

function constant(graph: Graph, name: string, tensor: () => InlineTensor): Value {
  return graph.find(name) ?? graph.addInitializer(name, tensor());
}

function product(dims: readonly number[]): number {
  return dims.reduce((total, dim) => total * dim, 1);
}
