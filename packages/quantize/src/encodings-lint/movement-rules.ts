/** Rules about values that carry the same data: what is moved, what is gathered, what stays without a grid. */
import { type Node, type Value, activationValues, movedInputs } from '@tundish/graph';
import { headForm } from '../encodings-formats/head-form.js';
import { isSameEncoding } from '../encodings-formats/same-encoding.js';
import { isCacheOutput } from './cache-names.js';
import type { LintRule } from './finding.js';
import { type LintView, encodingText } from './view.js';

export const movement: LintRule = {
  name: 'movement',
  asks: 'operators that move data (Gather, Concat, Transpose, Reshape, Slice, ...) have one encoding on both sides, except where the new cache is written in its own',
  host: 'codes are converted on the way, which the device would need an extra operator for',
  *check({ graph, activations }) {
    for (const node of graph.nodes) {
      for (const [index, output] of node.outputs.entries()) {
        const own = activations.get(output.name);
        if (own === undefined || isCacheOutput(output.name)) continue;
        for (const input of movedInputs(node) ?? []) {
          const other = input === undefined ? undefined : activations.get(input.name);
          // A cache is cut into heads that may have scales of their own.
          const moved = other === undefined ? undefined : headForm(other, node.opType === 'Split' ? index : undefined);
          if (other !== undefined && moved !== undefined && !isSameEncoding(own, moved)) {
            yield { tensor: output.name, severity: 'error', what: `is ${encodingText(own)}; ${node.opType} moves it from ${input?.name}, which is ${encodingText(other)}`, fix: 'give both the encoding of the result of Concat, of the input elsewhere' };
          }
        }
      }
    }
  },
};

export const gatheredTable: LintRule = {
  name: 'gathered-table',
  asks: 'rows that are gathered from a table have the encoding of the table',
  host: 'the same: the codes of the table are the codes of the rows',
  *check({ graph, activations, parameters }) {
    for (const node of graph.nodes.filter(({ opType }) => opType === 'Gather')) {
      const table = parameters.get(node.inputs[0]?.name ?? '');
      const output = gathered(node, activations);
      const own = output === undefined ? undefined : activations.get(output.name);
      if (table !== undefined && own !== undefined && !isSameEncoding(table, own)) {
        yield { tensor: output?.name ?? '', severity: 'error', what: `is ${encodingText(own)}; it is gathered from ${node.inputs[0]?.name}, which is ${encodingText(table)}`, fix: 'give the rows the encoding of their table' };
      }
    }
  },
};

/** What a Gather gives, or what its codes become behind it. */
function gathered(node: Node, activations: LintView['activations']): Value | undefined {
  const output = node.output();
  if (activations.has(output.name)) return output;
  return output.consumers.find(({ opType }) => opType === 'DequantizeLinear')?.output();
}

/** Operators whose results devices accept without an encoding. */
const EXEMPT: ReadonlySet<string> = new Set(['Cast', 'Gather', 'Shape']);

export const coverage: LintRule = {
  name: 'coverage',
  asks: 'in a graph with encodings of activations every float activation has one, but results of Cast, Gather and Shape',
  host: 'the value would run in floating point, and the simulation would no longer be the device\'s',
  *check({ graph, activations }) {
    if (activations.size === 0) return;
    for (const { name, producer } of activationValues(graph)) {
      if (!activations.has(name) && !EXEMPT.has(producer?.opType ?? '')) yield { tensor: name, severity: 'error', what: 'has no encoding', fix: 'calibrate it, or let it inherit from what it is moved from' };
    }
  },
};
