/** Rules about encodings of several graphs that share buffers: all AR and CL of one model, and its parts in a row. */
import type { Graph } from '@tundish/graph';
import type { EncodingsDocument, TensorEncoding } from '../encodings-formats/document.js';
import { headForm } from '../encodings-formats/head-form.js';
import { isSameEncoding } from '../encodings-formats/same-encoding.js';
import { cacheBuffer, cacheHead } from './cache-names.js';
import { type Breach, type Finding, namedFindings } from './finding.js';
import { encodingText } from './view.js';

/** One graph of a model and what it is called in findings. */
export interface NamedGraph {
  readonly name: string;
  readonly graph: Graph;
  readonly encodings: EncodingsDocument;
}

/** Rule `cache-across-graphs`: one physical buffer holds the cache of a layer for every graph, so its codes must mean the same in all. */
export function lintGraphs(graphs: readonly NamedGraph[]): readonly Finding[] {
  const first = new Map<string, readonly [string, TensorEncoding]>();
  const breaches: Breach[] = [];
  for (const { name: graph, encodings } of graphs) {
    for (const { name, encoding } of encodings.entries) {
      const buffer = cacheBuffer(name);
      if (buffer === undefined) continue;
      const [known, other] = first.get(buffer) ?? [graph, encoding];
      first.set(buffer, [known, other]);
      if (!isSameEncoding(headForm(other, cacheHead(name)), encoding)) breaches.push({ tensor: name, severity: 'error', what: `is ${encodingText(encoding)} in ${graph}, and ${encodingText(other)} in ${known}`, fix: 'give all graphs the encodings of one calibration' });
    }
  }
  return namedFindings('cache-across-graphs', breaches);
}

/** Rule `boundary`: what one part gives and the next one takes has one encoding, or every hand-over would requantize. */
export function lintParts(parts: readonly NamedGraph[]): readonly Finding[] {
  const encodingIn = ({ encodings }: NamedGraph, name: string): TensorEncoding | undefined => encodings.entries.find((entry) => entry.name === name)?.encoding;
  const breaches = parts.slice(1).flatMap((part, i) => {
    const before = parts[i] as NamedGraph;
    const given = new Set(before.graph.outputs.map(({ name }) => name));
    return part.graph.inputs.filter(({ name }) => given.has(name)).flatMap(({ name }): Breach[] => {
      const [out, taken] = [encodingIn(before, name), encodingIn(part, name)];
      if (out === undefined && taken === undefined) return [];
      if (out !== undefined && taken !== undefined && isSameEncoding(out, taken)) return [];
      const text = (encoding: TensorEncoding | undefined): string => (encoding === undefined ? 'without an encoding' : encodingText(encoding));
      return [{ tensor: name, severity: 'error', what: `leaves ${before.name} ${text(out)} and enters ${part.name} ${text(taken)}`, fix: 'carry the entry to both sides of the cut' }];
    });
  });
  return namedFindings('boundary', breaches);
}
