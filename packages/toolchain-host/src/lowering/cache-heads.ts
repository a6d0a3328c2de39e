/** Caches whose heads have grids of their own: one tensor of codes at the boundary, which is cut and joined as codes. */
import { printable } from '@tundish/diagnostics';
import type { Graph, Node, PerTensorEncoding, Value } from '@tundish/graph';
import { hostError } from '../errors.js';
import type { Coded } from './coded.js';
import { codeType } from './grid-constants.js';

/** What moving codes of heads needs of the graph under construction. */
export interface HeadSite {
  readonly graph: Graph;
  codedOf(value: Value): Coded | undefined;
  /** The float value of the new graph that stands for `value` of the source. */
  resolve(value: Value): Value;
}

/**
 * The encodings with scales of heads only where the graph cuts a cache into heads or joins it from them; a cache that stays
 * whole has one scale, that of its widest head.
 */
export function headsAsCut(graph: Graph, activations: ReadonlyMap<string, PerTensorEncoding>): ReadonlyMap<string, PerTensorEncoding> {
  return new Map([...activations].map(([name, encoding]) => {
    const { headScales, ...whole } = encoding;
    return [name, headScales === undefined || isCut(graph.find(name), headScales.length) ? encoding : whole];
  }));
}

function isCut(value: Value | undefined, heads: number): boolean {
  const { producer, consumers } = value ?? { consumers: [] };
  if (producer !== undefined) return consumers.length === 0 && isAlongHeads(producer, 'Concat') && producer.inputs.length === heads;
  return consumers.length > 0 && consumers.every((node) => isAlongHeads(node, 'Split') && node.outputs.length === heads);
}

function isAlongHeads(node: Node, opType: 'Split' | 'Concat'): boolean {
  return node.opType === opType && node.int('axis') === 0;
}

/** The codes of each head, on its own grid; undefined for a node that does not cut such a cache. */
export function cutCache(site: HeadSite, node: Node): readonly Coded[] | undefined {
  const source = node.opType === 'Split' ? site.codedOf(node.input(0)) : undefined;
  if (source === undefined) return undefined;
  const { headScales, ...whole } = source.encoding;
  if (headScales === undefined) return undefined;
  const inputs = [source.codes, ...node.inputs.slice(1).map((input) => (input === undefined ? undefined : site.resolve(input)))];
  const cut = site.graph.addNode({ opType: 'Split', name: node.name, inputs, outputs: node.outputs.map(({ name }) => `${name}_codes`), attributes: Object.fromEntries(node.attributes) });
  return cut.outputs.map((codes, head) => {
    [codes.dtype, codes.shape] = [codeType(whole), node.output(head).shape];
    return { codes, encoding: { ...whole, scale: headScales[head] as number } };
  });
}

/**
 * The codes of all heads, each on the grid that `encoding` gives it; undefined for a node that joins no such cache.
 *
 * @throws HOST_KV_ENCODING for heads on other grids
 */
export function joinCache(site: HeadSite, node: Node, encoding: PerTensorEncoding | undefined): Coded | undefined {
  const headScales = node.opType === 'Concat' ? encoding?.headScales : undefined;
  if (encoding === undefined || headScales === undefined) return undefined;
  const heads = node.inputs.map((input) => (input === undefined ? undefined : site.codedOf(input)));
  const fits = heads.every((head, i) => head !== undefined && head.encoding.dtype === encoding.dtype && head.encoding.zeroPoint === encoding.zeroPoint && head.encoding.scale === headScales[i]);
  const output = node.output();
  if (!fits) throw hostError('HOST_KV_ENCODING', { what: `the heads of ${printable(output.name)} are not on the grids that it has for them`, why: 'a runner copies cache codes from output to input without looking at them', fix: 'give each head the scale that the whole has for it' });
  const codes = site.graph.addNode({ opType: 'Concat', name: node.name, inputs: heads.map((head) => head?.codes), outputs: [output.name], attributes: Object.fromEntries(node.attributes) }).output();
  [codes.dtype, codes.shape] = [codeType(encoding), output.shape];
  return { codes, encoding };
}
