/** Rules about the cache: names, one encoding everywhere, and the code of an empty place. */
import type { ErrorFacts } from '@tundish/diagnostics';
import { printable } from '@tundish/diagnostics';
import { cacheName } from '../tensor-names.js';
import type { BundleRule } from './rule.js';
import type { BundleView, CacheTensor, PlacedGraph } from './view.js';
import { encodingText, sameEncoding } from './view.js';

/** The code of 0, with which the runtime clears a cache. */
const MIDDLE: ReadonlyMap<string, number> = new Map([['uint8', 128], ['uint16', 32768], ['int8', 0], ['int16', 0]]);

export const CACHE_RULES: readonly BundleRule[] = [
  { code: 'GENIE_KV_NAME', asks: 'caches are `past_key_{i}_in`, `past_key_{i}_out`, `past_value_{i}_in`, `past_value_{i}_out`, all four, layers counted from 0 through the parts', genie: 'refuses it', check: cacheNames },
  {
    code: 'GENIE_KV_TIED',
    asks: 'a cache tensor enters and leaves in one type and encoding',
    genie: 'refuses it',
    *check({ graphs }) {
      for (const graph of graphs) {
        for (const entering of graph.cache.filter(({ end }) => end === 'in')) {
          const leaving = graph.cache.find(({ kind, layer, end }) => end === 'out' && kind === entering.kind && layer === entering.layer);
          if (leaving !== undefined && !sameEncoding(entering, leaving)) yield { what: `${entering.name} of ${printable(graph.name)} is ${encodingText(entering)}, ${leaving.name} is ${encodingText(leaving)}`, why: 'codes that leave a pass enter the next as they are', ...at(graph) };
        }
      }
    },
  },
  {
    code: 'GENIE_KV_ZERO_POINT',
    asks: 'the zero point of a cache is the middle code: 128 of uint8, 32768 of uint16, 0 of signed types',
    genie: 'says nothing',
    *check({ graphs }) {
      for (const graph of graphs) {
        const wrong = graph.cache.filter(({ dtype, quantization }) => !dtype.startsWith('float') && quantization?.zeroPoint !== MIDDLE.get(dtype));
        // One side of a cache is enough to tell.
        for (const tensor of wrong.filter(({ end }) => end === 'in')) yield { what: `${tensor.name} of ${printable(graph.name)} is ${encodingText(tensor)}`, why: `an empty cache is filled with ${MIDDLE.get(tensor.dtype) ?? 'the middle code'}, which would not be 0`, fix: 'use symmetric encodings for keys and values', ...at(graph) };
      }
    },
  },
  {
    code: 'GENIE_KV_SHARED',
    asks: 'all graphs of a part see a cache in one encoding',
    genie: 'not tried',
    *check({ parts }) {
      for (const { graphs } of parts) yield* sharedCaches(graphs);
    },
  },
];

function* sharedCaches(graphs: readonly PlacedGraph[]): Iterable<ErrorFacts> {
  const first = new Map<string, { readonly tensor: CacheTensor; readonly graph: PlacedGraph }>();
  for (const graph of graphs) {
    for (const tensor of graph.cache.filter(({ end }) => end === 'in')) {
      const known = first.get(tensor.name) ?? { tensor, graph };
      first.set(tensor.name, known);
      if (!sameEncoding(known.tensor, tensor)) yield { what: `${tensor.name} is ${encodingText(tensor)} in ${printable(graph.name)} and ${encodingText(known.tensor)} in ${printable(known.graph.name)}`, why: 'all graphs of a part work on one buffer', ...at(graph) };
    }
  }
}

function* cacheNames({ parts, graphs }: BundleView): Iterable<ErrorFacts> {
  for (const graph of graphs) {
    yield* misnamed(graph);
    yield* incomplete(graph);
  }
  let next = 0;
  for (const { file, graphs: own } of parts) {
    const sets = new Set(own.map((graph) => layersOf(graph).join(' ')));
    const layers = layersOf(own[0]);
    if (sets.size > 1) yield { what: `graphs of ${printable(file)} have different layers`, evidence: { path: printable(file) } };
    else if (layers.some((layer, index) => layer !== next + index)) yield { what: `${printable(file)} has the layers ${layers.join(' ')} where ${next} and those that follow belong`, evidence: { path: printable(file) } };
    next = Math.max(next, ...layers.map((layer) => layer + 1));
  }
}

function* misnamed(graph: PlacedGraph): Iterable<ErrorFacts> {
  for (const [end, tensors] of [['in', graph.inputs], ['out', graph.outputs]] as const) {
    for (const { name } of tensors) {
      if (name.startsWith('past_') && cacheName(name)?.end !== end) yield { what: `${printable(name)} of ${printable(graph.name)} is no name of a cache ${end === 'in' ? 'input' : 'output'}`, ...at(graph) };
    }
  }
}

function* incomplete(graph: PlacedGraph): Iterable<ErrorFacts> {
  for (const layer of layersOf(graph)) {
    const found = graph.cache.filter((tensor) => tensor.layer === layer);
    const missing = ['key', 'value'].flatMap((kind) => ['in', 'out'].filter((end) => !found.some((tensor) => tensor.kind === kind && tensor.end === end)).map((end) => `past_${kind}_${layer}_${end}`));
    if (missing.length > 0) yield { what: `${printable(graph.name)} lacks ${missing.join(', ')}`, ...at(graph) };
  }
}

function layersOf(graph: PlacedGraph | undefined): number[] {
  return [...new Set(graph?.cache.map(({ layer }) => layer))].sort((a, b) => a - b);
}

function at(graph: PlacedGraph): { readonly evidence: { readonly path: string } } {
  return { evidence: { path: printable(graph.file) } };
}
