/** The single heads of a rank-4 value [kv heads, query heads a kv head, rows, columns]. */
import type { Value } from '@tundish/graph';
import { transformError } from '../errors.js';

/** Heads in the order of the model: head (i, j) is query head i * members + j. */
export interface HeadGrid {
  /** KV heads. */
  readonly groups: number;
  /** Query heads that share a KV head; 1 for keys and values. */
  readonly members: number;
  /** [1, 1, rows, columns] each; `groups * members` of them. */
  readonly heads: readonly Value[];
}

/** Extent of the two head axes; undefined for values that all heads share: masks, tables, scalars, single heads. */
export function gridOf(value: Value): { readonly groups: number; readonly members: number } | undefined {
  const shape = staticShape(value);
  const [groups = 1, members = 1] = shape;
  return shape.length === 4 && groups * members > 1 ? { groups, members } : undefined;
}

/** The head that an operator reads when it makes head (group, member): numpy broadcasting over the head axes. */
export function headAt(grid: HeadGrid, group: number, member: number): Value {
  const index = (grid.groups === 1 ? 0 : group) * grid.members + (grid.members === 1 ? 0 : member);
  return grid.heads[index] as Value;
}

/** @throws SHA_PATTERN when a dimension is not known */
export function staticShape(value: Value): readonly number[] {
  const shape = value.shape?.filter((dim) => typeof dim === 'number');
  if (shape !== undefined && shape.length === value.shape?.length) return shape;
  throw transformError('SHA_PATTERN', { what: `${value.name} has no static shape`, why: 'heads can only be told apart in a graph of fixed AR and CL' });
}
