/** AR/CL conversion by value substitution: a base graph of odd sizes becomes the graph of any AR and CL, without a weight byte. */
import { TundishError, printable } from '@tundish/diagnostics';
import { type Dim, type Graph, type Model, type Value, cloneModel, inferShapes, int64Tensor, integerValues } from '@tundish/graph';
import { transformError } from '../errors.js';
import { findCollisions } from './collisions.js';
import { type GraphSize, axesOf, extentOf } from './io-contract.js';
import { isExtentAttribute, readsExtents } from './shape-operands.js';

/** Far from any real size, so that a model size taken for AR or CL shows in the shapes. */
const PROBE: GraphSize = { ar: 100_003, cl: 300_017 };
const AXES = ['ar', 'cl', 'past'] as const;
const LISTED = 8;

/**
 * The same graph at another AR and CL. Names, weights and encodings are untouched; the result has the bytes of a graph
 * built directly at that size.
 *
 * @param base the size that `model` was built at; its AR, CL and CL-AR must occur for nothing else
 * @throws ARCL_SIZE_INVALID, ARCL_BASE_MISMATCH, ARCL_BASE_COLLIDES (listing where), ARCL_IO_MISMATCH
 */
export function convertArCl(model: Model, base: GraphSize, target: GraphSize): Model {
  requireSize(target);
  requireBase(model.graph, base);
  const collisions = findCollisions(model.graph, base);
  if (collisions.length > 0) throw collision(base, collisions);
  const contradiction = probe(model, base);
  if (contradiction !== undefined) throw collision(base, [contradiction.what], contradiction.cause);
  return substitute(model, base, target);
}

/**
 * What no list of constants can tell: at sizes of its own, every axis that was AR, CL or CL-AR must have become theirs,
 * and no other axis may have changed.
 */
function probe(model: Model, base: GraphSize): { readonly what: string; readonly cause?: TundishError } | undefined {
  try {
    const { graph } = substitute(model, base, PROBE);
    const wrong = model.graph.values.find((value) => !followsSize(value.shape, graph.value(value.name).shape, base));
    if (wrong === undefined) return undefined;
    return { what: `${wrong.name} is [${wrong.shape}], and at AR ${PROBE.ar} and CL ${PROBE.cl} it would be [${graph.value(wrong.name).shape}]` };
  } catch (cause) {
    if (!(cause instanceof TundishError)) throw cause;
    return { what: `at AR ${PROBE.ar} and CL ${PROBE.cl} the shapes contradict each other: ${cause.what}`, cause };
  }
}

function followsSize(before: readonly Dim[] | undefined, after: readonly Dim[] | undefined, base: GraphSize): boolean {
  return (before ?? []).every((dim, i) => {
    if (typeof dim !== 'number') return after?.[i] === dim;
    const meant = AXES.filter((axis) => dim !== 0 && dim % extentOf(axis, base) === 0).map((axis) => (dim / extentOf(axis, base)) * extentOf(axis, PROBE));
    return meant.length === 0 ? after?.[i] === dim : meant.some((extent) => extent === after?.[i]);
  });
}

function substitute(model: Model, base: GraphSize, target: GraphSize): Model {
  const converted = cloneModel(model);
  const { graph } = converted;
  const expected = [...graph.inputs, ...graph.outputs].map((value) => ({ value, shape: shapeAt(value, target) }));
  const extents = new Map(AXES.map((axis) => [extentOf(axis, base), extentOf(axis, target)]));
  const replace = (number: number): number => extents.get(number) ?? number;
  for (const value of graph.inputs) value.shape = shapeAt(value, target);
  for (const value of graph.initializers) replaceConstant(value, replace);
  for (const node of graph.nodes) {
    for (const [name, attribute] of node.attributes) {
      if (attribute.type === 'ints' && isExtentAttribute(node.opType, name)) node.attributes.set(name, { type: 'ints', value: attribute.value.map(replace) });
    }
    for (const output of node.outputs) output.shape = undefined;
  }
  inferShapes(converted);
  for (const { value, shape } of expected) requireShape(value, shape);
  return converted;
}

function replaceConstant(value: Value, replace: (number: number) => number): void {
  const numbers = value.tensor === undefined ? undefined : integerValues(value.tensor);
  if (value.tensor === undefined || numbers === undefined || !value.uses.some(readsExtents)) return;
  value.tensor = int64Tensor(numbers.map(replace), value.tensor.dims);
}

function shapeAt(value: Value, size: GraphSize): readonly Dim[] {
  const axes = axesOf(value.name);
  return (value.shape ?? []).map((dim, i) => {
    const axis = axes[i];
    return axis === undefined ? dim : extentOf(axis, size);
  });
}

function requireSize({ ar, cl }: GraphSize): void {
  if (Number.isSafeInteger(ar) && Number.isSafeInteger(cl) && ar >= 1 && ar < cl) return;
  throw transformError('ARCL_SIZE_INVALID', {
    what: `no graph can have AR ${ar} and CL ${cl}`,
    why: 'both are whole numbers and 1 <= AR < CL: the cache that enters has CL-AR positions',
    fix: 'correct graphs.ar or graphs.cl in the recipe',
  });
}

function requireBase(graph: Graph, base: GraphSize): void {
  requireSize(base);
  for (const value of [...graph.inputs, ...graph.outputs]) {
    const expected = shapeAt(value, base);
    const rank = axesOf(value.name).length;
    if (value.shape?.length === rank && expected.every((dim, i) => dim === value.shape?.[i])) continue;
    throw transformError('ARCL_BASE_MISMATCH', {
      what: `the graph is not one of AR ${base.ar} and CL ${base.cl}: ${printable(value.name)} has shape [${value.shape ?? 'unknown'}]`,
      why: value.shape?.length === rank ? `[${expected}] is expected` : `${rank} axes are expected`,
    });
  }
}

function requireShape(value: Value, expected: readonly Dim[]): void {
  const { shape } = value;
  if (shape?.length === expected.length && shape.every((dim, i) => dim === expected[i])) return;
  throw transformError('ARCL_IO_MISMATCH', {
    what: `${printable(value.name)} has shape [${shape ?? 'unknown'}] after conversion, the IO contract asks for [${expected}]`,
    why: 'an axis that depends on AR or CL was missed or taken for another one',
  });
}

function collision(base: GraphSize, places: readonly string[], cause?: TundishError): TundishError {
  const more = places.length > LISTED ? [`and ${places.length - LISTED} more`] : [];
  return transformError('ARCL_BASE_COLLIDES', {
    what: `the base AR ${base.ar}, CL ${base.cl} (CL-AR ${base.cl - base.ar}) cannot be told from other sizes of the graph`,
    why: [...places.slice(0, LISTED), ...more].map((place) => printable(place)).join('; '),
    fix: 'build the base graph with the AR and CL that chooseBase gives',
    ...(cause === undefined ? {} : { cause }),
  });
}
