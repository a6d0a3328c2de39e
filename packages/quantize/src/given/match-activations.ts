/** Which activation of a graph made elsewhere is which of the pipeline's: by what computes it, and by names where those can be trusted. */
import { type Graph, type Node, type Value, activationValues } from '@tundish/graph';
import { cacheInput, maskedScores, observedValues } from '../calibration/activations.js';
import { type Landmark, landmarks } from './landmarks.js';
import { originOf } from './movement.js';
import { likeness } from './names.js';

/** A graph, with the node of each linear layer by the name of its weight in the pipeline. */
export interface LayeredGraph {
  readonly graph: Graph;
  readonly layers: ReadonlyMap<string, Node>;
}

/** A name in the file, and whether the value has the other sign. */
export interface Counterpart {
  readonly name: string;
  readonly negated: boolean;
}

export interface MatchRequest {
  readonly ours: LayeredGraph;
  /** Absent where there is no ONNX file. */
  readonly theirs: LayeredGraph | undefined;
  /** Names of activations in the encodings file. */
  readonly entries: readonly string[];
  /** Theirs to ours. */
  readonly names: ReadonlyMap<string, string>;
}

/** Names in the file under which the encoding of each of our values may stand, the best first. Values of the cache have that of their buffer. */
export function matchActivations({ ours, theirs, entries, names }: MatchRequest): ReadonlyMap<string, readonly Counterpart[]> {
  const given = new Map([...names].map(([their, our]) => [our, their]));
  const known = theirs === undefined ? undefined : landmarks(theirs.graph, theirs.layers);
  const roles = rolesOf(landmarks(ours.graph, ours.layers));
  // Without a graph to look at: a file that names nothing else was made of this very one, so that equal names are equal values.
  const isOurs = theirs === undefined && entries.every((name) => ours.graph.find(name) !== undefined);
  const counterparts = (value: Value): Counterpart[] => {
    const named = given.get(value.name);
    if (named !== undefined) return [{ name: named, negated: false }];
    const landmarked = (roles.get(value) ?? []).flatMap((role) => counterpartOf(known?.get(role)));
    const same = isOurs || isSameValue(value, theirs?.graph) ? [{ name: value.name, negated: false }] : [];
    const product = theirs === undefined && !isOurs ? productNames(value, ours.layers, entries) : [];
    return [...landmarked, ...same, ...product];
  };
  const found = new Map(placedValues(ours.graph).map((value) => [value.name, counterparts(value)]));
  for (const node of ours.graph.nodes) {
    const past = cacheInput(node);
    if (past === undefined) continue;
    const buffer = [past, ours.graph.value(past.name.replace(/_in$/, '_out')), node.output()].flatMap((value) => [...counterparts(value), ...(value === node.output() ? [] : [{ name: value.name, negated: false }])]);
    for (const name of [past.name, past.name.replace(/_in$/, '_out')]) found.set(name, buffer);
  }
  return found;
}

/** Names of the values that may have an encoding of their own. */
export function placedNames(graph: Graph): string[] {
  const caches = graph.nodes.flatMap((node) => cacheInput(node)?.name ?? []);
  return [...placedValues(graph).map(({ name }) => name), ...caches, ...caches.map((name) => name.replace(/_in$/, '_out'))];
}

/** Values whose encoding does not follow from that of another: what is computed, what a Concat joins, and the rotary tables. */
function placedValues(graph: Graph): Value[] {
  const observed = new Set(observedValues(graph));
  return activationValues(graph).filter((value) => {
    const { producer, name } = value;
    if (producer === undefined) return name.startsWith('position_ids_');
    return observed.has(value) || maskedScores(producer) !== undefined || (producer.opType === 'Concat' && cacheInput(producer) === undefined);
  });
}

function rolesOf(found: ReadonlyMap<string, Landmark>): ReadonlyMap<Value, readonly string[]> {
  const roles = new Map<Value, string[]>();
  for (const [role, { value }] of found) roles.set(value, [...(roles.get(value) ?? []), role]);
  return roles;
}

function counterpartOf(landmark: Landmark | undefined): Counterpart[] {
  return landmark === undefined ? [] : [{ name: landmark.value.name, negated: landmark.negated }];
}

/** The same name, made by the same operator of values of the same names; or entering or leaving under the name that both contracts have. */
function isSameValue(value: Value, theirs: Graph | undefined): boolean {
  const other = theirs?.find(value.name);
  if (theirs === undefined || other === undefined) return false;
  const { producer } = value;
  if (producer === undefined || other.producer === undefined) return producer === other.producer && other.tensor === undefined;
  const operands = (node: Node): string => node.inputs.map((input) => (input === undefined ? '' : originOf(input).name)).join('\n');
  return other.producer.opType === producer.opType && operands(other.producer) === operands(producer);
}

/** Without a graph: what `torch.onnx.export` calls the product of a layer, which its module has only one of. */
function productNames(value: Value, layers: ReadonlyMap<string, Node>, entries: readonly string[]): Counterpart[] {
  const layer = [...layers].find(([, node]) => node.output() === value)?.[0];
  if (layer === undefined) return [];
  const module = layer.replace(/\.weight$/, '');
  const projection = module.split('.').at(-1) as string;
  return entries.filter((name) => name.includes(projection) && ['MatMul', 'Gemm', 'Conv'].some((op) => likeness(`${module}.${op}_output_0`, name) > 0)).map((name) => ({ name, negated: false }));
}
