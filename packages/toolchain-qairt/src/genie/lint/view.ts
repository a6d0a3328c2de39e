/** What the rules of the lint look at: the configuration's values, and every graph with the tokens and positions that its shapes say. */
import { printable } from '@tundish/diagnostics';
import type { Bundle, BundleGraph, BundleTensor, BundleBinary } from '../bundle.js';
import { GENIE_CONFIG_FILE } from '../bundle.js';
import type { GraphCell } from '../graph-cell.js';
import { graphCell } from '../graph-cell.js';
import { parseJson } from '../parse-json.js';
import type { ConfigValues } from '../read-config.js';
import { readConfigValues } from '../read-config.js';
import { ATTENTION_MASK, INPUT_EMBEDS, INPUT_IDS, LOGITS, ROPE_COS, ROPE_SIN, cacheName, isLoraInput } from '../tensor-names.js';

/** A graph in its place: part `part` of `parts` (1-based). */
export interface PlacedGraph extends BundleGraph, GraphCell {
  readonly file: string;
  readonly part: number;
  readonly parts: number;
  readonly cache: readonly CacheTensor[];
}

export interface CacheTensor extends BundleTensor {
  readonly kind: 'key' | 'value';
  readonly layer: number;
  readonly end: 'in' | 'out';
}

export interface BundleView {
  readonly bundle: Bundle;
  /** The configuration as JSON; undefined when it is none. */
  readonly config: unknown;
  readonly values: ConfigValues;
  /** The parts that could be read, in the order of execution. */
  readonly parts: readonly { readonly file: string; readonly binary: BundleBinary; readonly graphs: readonly PlacedGraph[] }[];
  /** Graphs of all parts. */
  readonly graphs: readonly PlacedGraph[];
}

export function viewBundle(bundle: Bundle): BundleView {
  const config = parseJson(bundle.texts.get(GENIE_CONFIG_FILE));
  const values = readConfigValues(config);
  const parts = values.contextBinaries.flatMap((file, index) => {
    const binary = bundle.binaries.get(file);
    if (binary === undefined) return [];
    return [{ file, binary, graphs: binary.graphs.map((graph) => placed(graph, file, index + 1, values.contextBinaries.length)) }];
  });
  return { bundle, config, values, parts, graphs: parts.flatMap(({ graphs }) => graphs) };
}

export function input(graph: BundleGraph, name: string): BundleTensor | undefined {
  return graph.inputs.find((tensor) => tensor.name === name);
}

export function output(graph: BundleGraph, name: string): BundleTensor | undefined {
  return graph.outputs.find((tensor) => tensor.name === name);
}

/** The inputs that only another part can fill. */
export function stateInputs(graph: PlacedGraph): readonly BundleTensor[] {
  const own = [INPUT_IDS, ATTENTION_MASK, ROPE_COS, ROPE_SIN, ...INPUT_EMBEDS];
  return graph.inputs.filter(({ name }) => !own.includes(name) && !name.startsWith('past_') && !isLoraInput(name));
}

/** The results that another part can take. */
export function stateOutputs(graph: PlacedGraph): readonly BundleTensor[] {
  return graph.outputs.filter(({ name }) => name !== LOGITS && !name.startsWith('past_'));
}

export function sameEncoding(a: BundleTensor, b: BundleTensor): boolean {
  return a.dtype === b.dtype && a.quantization?.scale === b.quantization?.scale && a.quantization?.zeroPoint === b.quantization?.zeroPoint;
}

/** `uint8 scale 0.5 zero point 128`. */
export function encodingText({ dtype, quantization }: BundleTensor): string {
  return quantization === undefined ? printable(dtype) : `${printable(dtype)} scale ${quantization.scale} zero point ${quantization.zeroPoint}`;
}

function placed(graph: BundleGraph, file: string, part: number, parts: number): PlacedGraph {
  const cache = [...graph.inputs, ...graph.outputs].flatMap((tensor) => {
    const name = cacheName(tensor.name);
    return name === undefined ? [] : [{ ...tensor, ...name }];
  });
  return { ...graph, ...graphCell(graph), file, part, parts, cache };
}
