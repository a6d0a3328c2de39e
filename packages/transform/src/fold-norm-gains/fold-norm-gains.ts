/**
 * Folds the gain of every RMS norm into the projections that read it: RMSNorm(x; g) W^T = RMSNorm(x; 1) (W diag(g))^T.
 * The product is left as an expression over the checkpoint's own bytes, so no weight byte is written.
 */
import { type Attribute, type Graph, type Model, type Node, type Value, DataType, cloneModel, floatTensor } from '@tundish/graph';

export interface FoldResult {
  readonly model: Model;
  /** Norms whose gain was folded, by node name. */
  readonly folded: readonly string[];
  /** Norms that something other than a projection reads, and that keep their gain. */
  readonly kept: readonly string[];
}

/** @returns a new model, equal in function; the given one is not changed */
export function foldNormGains(source: Model): FoldResult {
  const model = cloneModel(source);
  const folded: string[] = [];
  const kept: string[] = [];
  for (const norm of model.graph.sortedNodes().filter((node) => node.opType === 'RMSNormalization')) {
    (foldOne(model.graph, norm) ? folded : kept).push(norm.name);
  }
  model.graph.prune();
  return { model, folded, kept };
}

function foldOne(graph: Graph, norm: Node): boolean {
  const gain = norm.input(1);
  const output = norm.output();
  const transposes = output.uses.map(({ node, index }) => (index === 0 ? weightTranspose(node) : undefined));
  if (graph.outputs.includes(output) || transposes.length === 0 || transposes.some((transpose) => transpose === undefined)) return false;
  for (const transpose of new Set(transposes as Node[])) scaleColumns(graph, transpose, gain);
  const width = Number(gain.shape?.[0] ?? 0);
  norm.replaceInput(1, graph.addInitializer(graph.uniqueName(`${norm.name}/unit_gain`), floatTensor(new Float32Array(width).fill(1))));
  return true;
}

/** The Transpose below the weight of a projection, when nothing but projections of this norm reads it. */
function weightTranspose(node: Node): Node | undefined {
  const transpose = node.opType === 'MatMul' ? node.inputs[1]?.producer : undefined;
  if (transpose?.opType !== 'Transpose') return undefined;
  const norm = node.input(0);
  return transpose.output().uses.every((use) => use.node.inputs[0] === norm) ? transpose : undefined;
}

/** W [out,in] becomes W * g: the gain of input channel c scales column c. */
function scaleColumns(graph: Graph, transpose: Node, gain: Value): void {
  const weight = transpose.input(0);
  const product = graph.addNode({ opType: 'Mul', name: graph.uniqueName(`${transpose.name}/gain`), inputs: [weight, gain], attributes: {} satisfies Record<string, Attribute> }).output();
  product.dtype = DataType.FLOAT;
  product.shape = weight.shape;
  transpose.replaceInput(0, product);
}
