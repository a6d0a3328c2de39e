/** Computes element types and shapes of all values of a model, and holds declared ones against them. */
import { printable } from '@tundish/diagnostics';
import { dataTypeName } from '../data-type.js';
import { graphError } from '../errors.js';
import type { Model } from '../graph.js';
import type { Dim, Node, Value } from '../node.js';
import { ruleOf } from './op-table.js';
import { type Inferred, compatible, formatShape } from './rule.js';

/**
 * Sets `dtype` and `shape` of every value in place, in topological order. A value whose shape depends on data keeps what
 * was declared; so does everything behind it. Clear `shape` of a value to have it computed afresh.
 *
 * @throws GRAPH_SHAPE_CONFLICT when operands do not fit, or a declared type or shape is another than the inferred one
 * @throws GRAPH_OP, GRAPH_CYCLE
 */
export function inferShapes(model: Model): void {
  for (const node of model.graph.sortedNodes()) {
    const infer = ruleOf(node, model.opsetImports);
    if (!inputsKnown(node)) continue;
    infer(node).forEach((inferred, i) => {
      const output = node.outputs[i];
      if (output !== undefined) merge(output, inferred);
    });
  }
}

function inputsKnown(node: Node): boolean {
  return node.inputs.every((input) => input === undefined || (input.dtype !== undefined && input.shape !== undefined));
}

function merge(value: Value, inferred: Inferred): void {
  if (value.dtype !== undefined && value.dtype !== inferred.dtype) throw differs(value, dataTypeName(value.dtype), dataTypeName(inferred.dtype));
  value.dtype = inferred.dtype;
  const declared = value.shape;
  const { shape } = inferred;
  if (shape === undefined) return;
  if (declared !== undefined && (declared.length !== shape.length || declared.some((dim, i) => !compatible(dim, shape[i])))) {
    throw differs(value, formatShape(declared), formatShape(shape));
  }
  // Numbers say more than symbols, and declared symbols more than made-up ones.
  value.shape = shape.map((dim, i) => (typeof dim === 'number' ? dim : (declared?.[i] as Dim | undefined) ?? dim));
}

function differs(value: Value, declared: string, inferred: string): Error {
  return graphError('GRAPH_SHAPE_CONFLICT', {
    what: `${printable(value.name)}: declared ${declared}, inferred ${inferred}`,
    why: `${value.producer?.opType ?? 'the graph'} makes another value than the one that is declared`,
    evidence: { detail: `value ${printable(value.name)}, node ${printable(value.producer?.name ?? '')}` },
    fix: 'correct the declaration, or export the model again',
  });
}
