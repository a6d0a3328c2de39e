/** Tokens a pass and positions of attention of a graph, read from its shapes as Genie reads them: the name does not count. */
import type { BundleGraph } from './bundle.js';
import { ATTENTION_MASK, INPUT_IDS } from './tensor-names.js';

export interface GraphCell {
  /** Tokens a pass; undefined for a graph without usable inputs. */
  readonly ar: number | undefined;
  /** Positions of attention; undefined for a graph without layers. */
  readonly cl: number | undefined;
}

export function graphCell({ inputs }: BundleGraph): GraphCell {
  const shapeOf = (name: string): readonly number[] | undefined => inputs.find((tensor) => tensor.name === name)?.shape;
  const mask = shapeOf(ATTENTION_MASK);
  return { ar: mask?.at(-2) ?? shapeOf(INPUT_IDS)?.at(-1) ?? inputs[0]?.shape.at(-2), cl: mask?.at(-1) };
}

/** Every AR and every CL of some graphs, ascending. */
export function gridOf(graphs: readonly BundleGraph[]): { readonly ars: readonly number[]; readonly contextLengths: readonly number[] } {
  const cells = graphs.map(graphCell).filter((cell): cell is { ar: number; cl: number } => cell.ar !== undefined && cell.cl !== undefined);
  return { ars: distinct(cells.map(({ ar }) => ar)), contextLengths: distinct(cells.map(({ cl }) => cl)) };
}

function distinct(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}
