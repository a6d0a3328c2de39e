/** The matrix of operations, and its rows in docs/qairt-composer.md. */
import { ELEMENTS } from './elements.js';
import { MOVES } from './moves.js';
import type { OneOp } from './one-op.js';
import { PRODUCTS } from './products.js';

export const OPS: readonly OneOp[] = [...PRODUCTS, ...ELEMENTS, ...MOVES];

/** The row of the page: how far codes may be off, or the error. */
export function documentedRow({ type, form, refused, endlessOn, gate: { max, relative = 0, bias } }: OneOp): string {
  const limit = max === 0 ? 'exact' : `${rounded(max)}${relative === 0 ? '' : ` + ${relative} x code`} / ${rounded(bias)}`;
  const without = endlessOn === undefined ? '' : `; not tried on chip ${endlessOn}`;
  return `| ${type} | ${form} | ${refused === undefined ? limit : `\`${refused}\``}${without} |`;
}

function rounded(value: number): string {
  return `${Number(value.toPrecision(2))}`;
}
