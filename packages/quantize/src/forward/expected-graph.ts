/** Walks a graph from its end and says what is not as expected. */
import { printable } from '@tundish/diagnostics';
import { type Node, type Projection, type Value, integerValues, matchProjection } from '@tundish/graph';
import { quantizeError } from '../errors.js';

/** @throws QUANTIZE_UNKNOWN_BLOCK */
export function expectBlock(holds: boolean, what: string): asserts holds {
  if (holds) return;
  throw quantizeError('QUANTIZE_UNKNOWN_BLOCK', {
    what,
    why: 'the forward pass knows pre-norm blocks with rotary attention and a gated feed-forward network, as adapted graphs have them',
    fix: 'choose a technique that does not run blocks, such as min-max scales',
  });
}

/** The node that makes `value`, of that operator and with those attributes. @throws QUANTIZE_UNKNOWN_BLOCK */
export function madeBy(value: Value, opType: string, attributes: Readonly<Record<string, number | readonly number[]>> = {}): Node {
  const node = value.producer;
  expectBlock(node?.opType === opType && node.domain === '', `${printable(value.name)} is made by ${node?.opType ?? 'no node'}, ${opType} is expected`);
  for (const [name, expected] of Object.entries(attributes)) {
    const found = typeof expected === 'number' ? node.int(name) : node.ints(name);
    expectBlock(String(found) === String(expected), `${name} of ${opType} ${printable(node.name)} is ${String(found)}, ${String(expected)} is expected`);
  }
  return node;
}

/** The linear layer whose result is `value`, behind its bias if it has one. @throws QUANTIZE_UNKNOWN_BLOCK */
export function projectionOf(value: Value): Projection {
  const matmul = value.producer?.opType === 'Add' ? value.producer.input(0).producer : value.producer;
  const found = matmul === undefined ? undefined : matchProjection(matmul);
  expectBlock(found?.output === value, `${printable(value.name)} is not the result of a linear layer`);
  return found;
}

/** @throws QUANTIZE_UNKNOWN_BLOCK when `value` is not `expected` */
export function expectSame(value: Value, expected: Value): void {
  expectBlock(value === expected, `${printable(value.name)} is read where ${printable(expected.name)} is expected`);
}

/** @throws QUANTIZE_UNKNOWN_BLOCK when `value` is not an input of the graph, of that name if one is given */
export function expectInput(value: Value, name: string = value.name): void {
  expectBlock(value.graph.inputs.includes(value) && value.name === name, `${printable(value.name)} is read where the input ${printable(name)} is expected`);
}

/** The constant integers of `value`. @throws QUANTIZE_UNKNOWN_BLOCK */
export function integersOf(value: Value): readonly number[] {
  const values = value.tensor === undefined ? undefined : integerValues(value.tensor);
  expectBlock(values !== undefined, `${printable(value.name)} is not a constant of integers`);
  return values;
}

/** @throws QUANTIZE_UNKNOWN_BLOCK when `value` has another shape */
export function expectShape(value: Value, shape: readonly number[]): void {
  expectBlock(String(value.shape) === String(shape), `${printable(value.name)} has shape [${String(value.shape)}], [${shape.join(', ')}] is expected`);
}
