/** Rules about the set of graphs: names, a full grid, and the shape that Genie cannot handle. */
import { printable } from '@tundish/diagnostics';
import type { BundleRule } from './rule.js';
import type { PlacedGraph } from './view.js';

const NAME = /^(?:[A-Za-z]+_)?ar(\d+)_cl(\d+)_(\d+)_of_(\d+)$/;

export const GRAPH_RULES: readonly BundleRule[] = [
  {
    code: 'GENIE_GRAPH_NAME',
    asks: 'a graph is `ar{AR}_cl{CL}_{part}_of_{parts}`, with or without `prompt_` or `token_`, as its shapes are; names differ',
    genie: 'says nothing',
    *check({ parts }) {
      for (const { file, graphs } of parts) {
        const names = new Set<string>();
        for (const graph of graphs) {
          const why = 'other runtimes read tokens, positions and part from the name';
          if (!named(graph)) yield { what: `${printable(graph.name)} is AR ${graph.ar}, CL ${graph.cl ?? 'any'}, part ${graph.part} of ${graph.parts}`, why, evidence: { path: printable(file) } };
          if (names.has(graph.name)) yield { what: `two graphs are called ${printable(graph.name)}`, why, evidence: { path: printable(file) } };
          names.add(graph.name);
        }
      }
    },
  },
  {
    code: 'GENIE_GRID',
    asks: 'parts with a cache have the same pairs of AR and CL, each once, and other parts the same AR',
    genie: 'not tried',
    *check({ parts }) {
      const layered = parts.filter(({ graphs }) => graphs.some(({ cl }) => cl !== undefined));
      const [full] = layered;
      const cells = full?.graphs.map(cell) ?? [];
      const doubled = layered.find(({ graphs }) => new Set(graphs.map(cell)).size < graphs.length);
      if (doubled !== undefined) yield { what: `${printable(doubled.file)} has two graphs of one AR and CL`, evidence: { path: printable(doubled.file) } };
      for (const { file, graphs } of parts) {
        const [have, want] = layered.some((part) => part.file === file) ? [graphs.map(cell), cells] : [graphs.map(tokens), full?.graphs.map(tokens) ?? graphs.map(tokens)];
        const missing = [...new Set(want)].filter((each) => !have.includes(each));
        const extra = [...new Set(have)].filter((each) => !want.includes(each));
        if (missing.length + extra.length > 0) yield { what: `${printable(file)} has other graphs than ${printable(full?.file ?? '')}: ${[...missing.map((each) => `no ${each}`), ...extra.map((each) => `also ${each}`)].join(', ')}`, fix: 'compile every part for every AR and CL', evidence: { path: printable(file) } };
      }
    },
  },
  {
    code: 'GENIE_CL_TWICE_AR',
    asks: 'no context length is twice the tokens a pass',
    genie: 'generates wrong tokens',
    *check({ graphs }) {
      for (const { name, file, ar, cl } of graphs) {
        if (ar !== undefined && cl === 2 * ar) yield { what: `${printable(name)} has CL ${cl}, twice its AR ${ar}`, why: 'past and new cache then have equal shapes, and from the second token on the answer is wrong', fix: 'choose another context length or another AR', evidence: { path: printable(file) } };
      }
    },
  },
];

function named(graph: PlacedGraph): boolean {
  const [, ar, cl, part, parts] = NAME.exec(graph.name) ?? [];
  return Number(ar) === graph.ar && (graph.cl === undefined || Number(cl) === graph.cl) && Number(part) === graph.part && Number(parts) === graph.parts;
}

function cell({ ar, cl }: PlacedGraph): string {
  return `AR ${ar} CL ${cl}`;
}

function tokens({ ar }: PlacedGraph): string {
  return `AR ${ar}`;
}
