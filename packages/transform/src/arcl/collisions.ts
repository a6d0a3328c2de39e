/** Finds every place in which a number of the base size stands for something else, so that replacing it would corrupt the graph. */
import { type Dim, type Graph, type Node, type Value, integerValues } from '@tundish/graph';
import { type Axis, type GraphSize, axesOf, extentOf } from './io-contract.js';
import { isExtentAttribute, readsExtents } from './shape-operands.js';

const AXES: readonly Axis[] = ['ar', 'cl', 'past'];
const SPELLING: Readonly<Record<Axis, string>> = { ar: 'AR', cl: 'CL', past: 'CL-AR' };

/** One sentence per place, in graph order; empty when AR, CL and CL-AR can be told from everything else. */
export function findCollisions(graph: Graph, base: GraphSize): string[] {
  return [
    ...collisionsAmongAxes(base),
    ...[...graph.inputs, ...graph.outputs].flatMap((value) => ofBorder(value, base)),
    ...graph.initializers.flatMap((value) => ofInitializer(value, base)),
    ...graph.nodes.flatMap((node) => ofAttributes(node, base)),
  ];
}

function collisionsAmongAxes(base: GraphSize): string[] {
  return AXES.flatMap((axis, i) =>
    AXES.slice(i + 1)
      .filter((other) => extentOf(axis, base) === extentOf(other, base))
      .map((other) => `${SPELLING[axis]} and ${SPELLING[other]} are both ${extentOf(axis, base)}`),
  );
}

/** Axes of inputs and outputs that do not depend on AR or CL by contract. */
function ofBorder(value: Value, base: GraphSize): string[] {
  const axes = axesOf(value.name);
  return (value.shape ?? []).flatMap((dim, i) => (axes[i] === undefined ? hits(dim, base, `axis ${i} of ${value.name}`) : []));
}

function ofInitializer(value: Value, base: GraphSize): string[] {
  const { tensor } = value;
  if (tensor === undefined) return [];
  const numbers = integerValues(tensor);
  if (numbers === undefined) return tensor.dims.flatMap((dim, i) => hits(dim, base, `axis ${i} of ${value.name}`));
  const where = `the constant ${value.name}`;
  if (value.uses.every((use) => readsExtents(use))) return ofExtents(numbers, base, where);
  return numbers.flatMap((number) => hits(number, base, where));
}

function ofAttributes(node: Node, base: GraphSize): string[] {
  return [...node.attributes].flatMap(([name, attribute]) => {
    const where = `the attribute ${name} of ${node.name}`;
    if (attribute.type === 'int') return hits(attribute.value, base, where);
    if (attribute.type !== 'ints') return [];
    return isExtentAttribute(node.opType, name) ? ofExtents(attribute.value, base, where) : attribute.value.flatMap((number) => hits(number, base, where));
  });
}

/** Among extents a hit is meant, unless it comes twice or as a multiple: then one of them may be another size. */
function ofExtents(numbers: readonly number[], base: GraphSize, where: string): string[] {
  return AXES.flatMap((axis) => {
    const extent = extentOf(axis, base);
    const shown = `${where} [${numbers.join(', ')}]`;
    if (numbers.filter((number) => number === extent).length > 1) return [`${shown} holds ${SPELLING[axis]} ${extent} more than once`];
    return numbers.some((number) => number !== extent && isMultiple(number, extent)) ? [`${shown} holds a multiple of ${SPELLING[axis]} ${extent}`] : [];
  });
}

function hits(dim: Dim, base: GraphSize, where: string): string[] {
  if (typeof dim !== 'number') return [];
  return AXES.filter((axis) => isMultiple(dim, extentOf(axis, base))).map((axis) =>
    dim === extentOf(axis, base) ? `${where} is ${dim}, as is ${SPELLING[axis]}` : `${where} is ${dim}, a multiple of ${SPELLING[axis]} ${extentOf(axis, base)}`,
  );
}

function isMultiple(number: number, extent: number): boolean {
  return number !== 0 && number % extent === 0;
}
