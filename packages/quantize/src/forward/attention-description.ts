/** Recognises rotary causal attention in an adapted graph. */
import { printable } from '@tundish/diagnostics';
import { DataType, type Projection, type Value, isHadamardTensor } from '@tundish/graph';
import { expectBlock, expectInput, expectSame, integersOf, madeBy, projectionOf } from './expected-graph.js';

export interface AttentionDescription {
  readonly q: Projection;
  readonly k: Projection;
  readonly v: Projection;
  readonly o: Projection;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Whether queries and keys are rotated by a Hadamard matrix behind the rotary embedding. */
  readonly rotatesHeads: boolean;
}

/** The attention whose output, behind o, is `value`. @throws QUANTIZE_UNKNOWN_BLOCK */
export function describeAttention(value: Value): AttentionDescription {
  const o = projectionOf(value);
  const context = madeBy(madeBy(o.input, 'Reshape').input(0), 'Transpose', { perm: [2, 0, 1, 3] });
  const product = madeBy(context.input(0), 'MatMul');
  const masked = madeBy(madeBy(product.input(0), 'Softmax', { axis: -1 }).input(0), 'Add');
  expectInput(masked.input(1), 'attention_mask');
  const scaled = madeBy(masked.input(0), 'Mul');
  const scores = madeBy(scaled.input(0), 'MatMul');

  const [queries, newKeys] = [scores.input(0), keysOf(scores.input(1))];
  const unrotated = [beforeRotation(queries), beforeRotation(newKeys)] as const;
  const rotatesHeads = unrotated[0] !== undefined;
  expectBlock(rotatesHeads === (unrotated[1] !== undefined), `${printable(queries.name)} and ${printable(newKeys.name)} are not rotated alike`);
  const query = splitHeads(rotated(unrotated[0] ?? queries));
  const key = splitHeads(rotated(unrotated[1] ?? newKeys));
  const values = madeBy(product.input(1), 'Concat', { axis: 2 });
  expectInput(values.input(0));
  const past = splitHeads(values.input(1));

  const { tokens, groups, members, headDim } = query;
  for (const narrow of [key, past]) {
    const fits = narrow.tokens === tokens && narrow.groups === groups && narrow.members === 1 && narrow.headDim === headDim;
    expectBlock(fits, `the heads of ${printable(narrow.projection.output.name)} do not go with those of ${printable(query.projection.output.name)}`);
  }
  expectScale(scaled.input(1), headDim);
  return { q: query.projection, k: key.projection, v: past.projection, o, heads: groups * members, kvHeads: groups, headDim, rotatesHeads };
}

/** A linear layer whose result becomes heads [groups, members, tokens, headDim]. */
interface SplitHeads {
  readonly projection: Projection;
  readonly tokens: number;
  readonly groups: number;
  readonly members: number;
  readonly headDim: number;
}

function splitHeads(value: Value): SplitHeads {
  const reshape = madeBy(madeBy(value, 'Transpose', { perm: [1, 2, 0, 3] }).input(0), 'Reshape');
  const dims = integersOf(reshape.input(1));
  const [tokens = 0, groups = 0, members = 0, headDim = 0] = dims;
  expectBlock(dims.length === 4 && dims.every((dim) => dim > 0), `heads are split into [${dims.join(', ')}], four sizes are expected`);
  return { projection: projectionOf(reshape.input(0)), tokens, groups, members, headDim };
}

/** The new keys [.., tokens, headDim] that follow those of the cache in `value`. */
function keysOf(value: Value): Value {
  const keys = madeBy(value, 'Concat', { axis: 3 });
  expectInput(keys.input(0));
  return madeBy(keys.input(1), 'Transpose', { perm: [0, 1, 3, 2] }).input(0);
}

/** What `value` is the product of with the Hadamard matrix of its last dimension; undefined when another operator makes it. */
function beforeRotation(value: Value): Value | undefined {
  const { producer } = value;
  if (producer?.opType !== 'MatMul') return undefined;
  const { tensor } = madeBy(producer.input(1), 'Transpose', { perm: [1, 0] }).input(0);
  expectBlock(isHadamardTensor(tensor), `${printable(producer.name)} multiplies heads with something else than the Hadamard matrix of their size`);
  return producer.input(0);
}

/** What `value` is the rotary embedding of: (a, b) -> (a·cos - b·sin, a·sin + b·cos) on halves. */
function rotated(value: Value): Value {
  const joined = madeBy(value, 'Concat', { axis: 3 });
  const [real, imaginary] = [madeBy(joined.input(0), 'Sub'), madeBy(joined.input(1), 'Add')];
  const split = madeBy(madeBy(real.input(0), 'Mul').input(0), 'Split', { axis: 3 });
  const [first, second] = [split.output(0), split.output(1)];
  const sizes = integersOf(split.input(1));
  expectBlock(sizes.length === 2 && sizes[0] === sizes[1], `${printable(value.name)} is rotated in parts of [${sizes.join(', ')}], two halves are expected`);
  expectProduct(real.input(0), first, 'position_ids_cos');
  expectProduct(real.input(1), second, 'position_ids_sin');
  expectProduct(imaginary.input(0), first, 'position_ids_sin');
  expectProduct(imaginary.input(1), second, 'position_ids_cos');
  return split.input(0);
}

function expectProduct(value: Value, half: Value, table: string): void {
  const product = madeBy(value, 'Mul');
  expectSame(product.input(0), half);
  expectInput(product.input(1), table);
}

function expectScale({ name, tensor }: Value, headDim: number): void {
  const inline = tensor?.kind === 'inline' && tensor.dtype === DataType.FLOAT && tensor.data.length === 4 ? tensor.data : undefined;
  const found = inline === undefined ? undefined : new DataView(inline.buffer, inline.byteOffset).getFloat32(0, true);
  const expected = Math.fround(1 / Math.sqrt(headDim));
  expectBlock(found === expected, `scores are scaled by ${printable(name)} = ${String(found)}, 1/sqrt(${headDim}) is expected`);
}
