/** The four products inside a rotary embedding, in the two ways in which it is written. */
import type { Node, Value } from '@tundish/graph';
import { isMovement, originOf } from './movement.js';

type Table = 'cos' | 'sin';

/**
 * Halves x1, x2 give x1·cos - x2·sin and x1·sin + x2·cos, joined by a Concat; or, as Hugging Face writes it, x·cos +
 * (-x2, x1)·sin, whose products span those of both halves.
 */
export function* rotaryProducts(of: string, rotated: Value, constant: ReadonlySet<Value>): Generator<readonly [role: string, value: Value, negated?: boolean]> {
  const node = rotated.producer;
  if (node?.opType === 'Concat') {
    const [difference, sum] = node.inputs.map((input) => (input === undefined ? undefined : originOf(input).producer));
    if (difference?.opType !== 'Sub' || sum?.opType !== 'Add') return;
    for (const [table, value] of products(difference, constant)) yield [`${of} ${table === 'cos' ? 'first·cos' : 'second·sin'}`, value];
    for (const [table, value] of products(sum, constant)) yield [`${of} ${table === 'cos' ? 'second·cos' : 'first·sin'}`, value];
  } else if (node?.opType === 'Add') {
    for (const [table, value] of products(node, constant)) {
      yield [`${of} first·${table}`, value];
      yield [`${of} second·${table}`, value, table === 'sin'];
    }
  }
}

function products(node: Node, constant: ReadonlySet<Value>): (readonly [Table, Value])[] {
  return node.inputs.flatMap((input) => {
    const product = input === undefined ? undefined : originOf(input);
    if (product?.producer?.opType !== 'Mul') return [];
    const table = product.producer.inputs.flatMap((factor) => tableBehind(factor, constant) ?? [])[0];
    return table === undefined ? [] : [[table, product] as const];
  });
}

/** Whether a factor is the table of cosines or of sines: an input of the graph, or computed, scaled and moved. */
function tableBehind(factor: Value | undefined, constant: ReadonlySet<Value>): Table | undefined {
  for (let value = factor; value !== undefined; ) {
    const { name, producer }: Value = value;
    if (producer === undefined) return (/^position_ids_(cos|sin)$/.exec(name)?.[1] as Table | undefined);
    if (producer.opType === 'Cos' || producer.opType === 'Sin') return producer.opType === 'Cos' ? 'cos' : 'sin';
    const moving: readonly (Value | undefined)[] = producer.inputs.filter((input) => input !== undefined && !constant.has(input));
    value = isMovement(producer) || producer.opType === 'Slice' || (producer.opType === 'Mul' && moving.length === 1) ? moving[0] : undefined;
  }
  return undefined;
}
