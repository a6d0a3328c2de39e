/**
 * Values of a decoder graph by what they are, found from its linear layers: the same walk over the pipeline's graph and over
 * one made elsewhere tells which value of the one is which of the other, whatever both call it.
 */
import { type Graph, type Node, type Value, constantValues } from '@tundish/graph';
import { computingReaders, originOf } from './movement.js';
import { rotaryProducts } from './rotary-products.js';

export interface Landmark {
  readonly value: Value;
  /** The value with its sign turned: `rotate_half` of Hugging Face has it so. */
  readonly negated: boolean;
}

/**
 * @param layers the nodes that multiply with weights, by the names of these in the pipeline
 * @returns by role, for example `model.layers.0.self_attn.o_proj.weight scores`; what a graph does in another way is left out
 */
export function landmarks(graph: Graph, layers: Iterable<readonly [name: string, node: Node]>): ReadonlyMap<string, Landmark> {
  const constant = constantValues(graph);
  const found = new Map<string, Landmark>();
  const note = (role: string, value: Value | undefined, negated = false): void => {
    if (value !== undefined && !constant.has(value) && !found.has(role)) found.set(role, { value, negated });
  };
  for (const [name, node] of layers) {
    const result = withBias(node.output(), constant);
    if (node.inputs[2] === undefined) note(`${name} product`, node.output());
    note(`${name} result`, result);
    note(`${name} input`, originOf(node.input(0)));
    if (name.endsWith('gate_proj.weight')) note(`${name} activated`, siluOf(result));
    if (/(o|down)_proj\.weight$/.test(name)) note(`${name} residual`, sumWith(result, constant));
    if (name.endsWith('o_proj.weight')) for (const [role, value, negated] of attentionValues(node, constant)) note(`${name} ${role}`, value, negated);
  }
  return found;
}

function withBias(product: Value, constant: ReadonlySet<Value>): Value {
  const [reader, ...others] = computingReaders(product);
  return others.length === 0 && reader?.opType === 'Add' && reader.inputs.some((input) => input !== undefined && constant.has(input)) ? reader.output() : product;
}

/** x · sigmoid(x). */
function siluOf(gate: Value): Value | undefined {
  const isSigmoid = (value: Value | undefined): boolean => value !== undefined && originOf(value).producer?.opType === 'Sigmoid';
  return computingReaders(gate).find(({ opType, inputs }) => opType === 'Mul' && inputs.some(isSigmoid))?.output();
}

/** The residual stream behind a layer. */
function sumWith(result: Value, constant: ReadonlySet<Value>): Value | undefined {
  return computingReaders(result).find(({ opType, inputs }) => opType === 'Add' && inputs.every((input) => input !== undefined && !constant.has(input)))?.output();
}

/** From the input of o_proj back through both products of attention. */
function* attentionValues(projection: Node, constant: ReadonlySet<Value>): Generator<readonly [role: string, value: Value | undefined, negated?: boolean]> {
  const context = originOf(projection.input(0)).producer;
  const softmax = context?.opType === 'MatMul' ? originOf(context.input(0)).producer : undefined;
  if (context === undefined || softmax?.opType !== 'Softmax') return;
  const masked = originOf(softmax.input(0));
  const scaled = masked.producer?.opType !== 'Add' ? undefined : masked.producer.inputs.flatMap((input) => (input === undefined ? [] : [originOf(input)])).find(({ producer }) => ['MatMul', 'Mul', 'Div'].includes(producer?.opType ?? ''));
  const scores = scaled?.producer?.opType === 'MatMul' ? scaled : scaled?.producer?.inputs.flatMap((input) => (input === undefined || constant.has(input) ? [] : [originOf(input)]))[0];
  yield ['masked', masked];
  yield ['scaled', scaled];
  if (scores !== undefined && scores !== scaled) yield ['scores', scores];
  yield* cached('value', originOf(context.input(1)));
  const product = scores?.producer;
  if (product?.opType !== 'MatMul') return;
  const query = originOf(product.input(0));
  yield ['query', query];
  yield* rotaryProducts('query', query, constant);
  for (const [role, value] of cached('key', originOf(product.input(1)))) {
    yield [role, value];
    if (role === 'key') yield* rotaryProducts('key', value, constant);
  }
}

/** What is attended to, and what of it is new. */
function* cached(role: 'key' | 'value', attended: Value): Generator<readonly [role: string, value: Value]> {
  const join = attended.producer;
  const fresh = join?.opType === 'Concat' ? join.inputs.at(-1) : undefined;
  if (fresh !== undefined) yield [`${role} cache`, attended];
  yield [role, fresh === undefined ? attended : originOf(fresh)];
}
