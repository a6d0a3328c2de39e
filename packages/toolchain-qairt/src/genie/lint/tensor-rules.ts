/** Rules about the tensors of a graph: names, shapes, the mask, and what passes from part to part. */
import type { ErrorFacts } from '@tundish/diagnostics';
import { printable } from '@tundish/diagnostics';
import { ATTENTION_MASK, INPUT_EMBEDS, INPUT_IDS, LOGITS, ROPE_COS, ROPE_SIN, deviceName } from '../tensor-names.js';
import type { BundleRule } from './rule.js';
import { shapeBreaches } from './shapes.js';
import type { BundleView, PlacedGraph } from './view.js';
import { encodingText, input, output, sameEncoding, stateInputs, stateOutputs } from './view.js';

/** What is added to a masked score, at the least; the vendor's own smallest value is -50. */
const LEAST_MASK = -50;
/** Scales are float32: -50 may be a little less. */
const ROUNDING = 1e-6;

export const TENSOR_RULES: readonly BundleRule[] = [
  { code: 'GENIE_TENSOR_NAME', asks: 'the first part takes `input_ids`, parts with a cache take mask, cos and sin, the last gives `logits`', genie: 'refuses it', check: tensorNames },
  {
    code: 'GENIE_INPUT_UNFILLED',
    asks: "every input is one of Genie's, a cache, the result of an earlier part, or a weight of an adapter with `lora` in its name",
    genie: 'says nothing',
    *check({ graphs }) {
      for (const graph of graphs) {
        for (const { name } of stateInputs(graph)) {
          if (sources(graph, graphs, name).length === 0) yield { what: `nothing fills the input ${printable(name)} of ${printable(graph.name)}`, why: 'weights of adapters are known by lora in their name, and others are passed over in silence', fix: 'give weights of adapters names with lora', ...of(graph) };
        }
      }
    },
  },
  {
    code: 'GENIE_SHAPE',
    asks: 'keys are [g, 1, D, CL - AR], values [g, 1, CL - AR, D], new ones AR long; mask, cos, sin, ids and logits have AR rows',
    genie: 'refuses it',
    *check({ graphs }) {
      for (const graph of graphs) for (const what of shapeBreaches(graph)) yield { what, ...of(graph) };
    },
  },
  {
    code: 'GENIE_BOUNDARY',
    asks: 'both sides of a cut have one type, shape and encoding',
    genie: 'not tried',
    *check({ graphs }) {
      for (const graph of graphs) {
        for (const taken of stateInputs(graph)) {
          const other = sources(graph, graphs, taken.name).find((made) => !sameEncoding(made, taken) || !sameShape(made.shape, taken.shape));
          if (other !== undefined) yield { what: `${printable(graph.name)} takes ${printable(taken.name)} as ${described(taken)}, and part ${graph.part - 1} gives ${described(other)}`, fix: 'compile both parts from the same encodings', ...of(graph) };
        }
      }
    },
  },
  {
    code: 'GENIE_MASK_ENCODING',
    asks: 'the mask is uint16 whose code 65535 is 0 and whose code 0 is -50 or less; or it is a float',
    genie: 'says nothing',
    *check({ graphs }) {
      for (const graph of graphs) {
        const mask = input(graph, ATTENTION_MASK);
        if (mask === undefined || mask.dtype.startsWith('float')) continue;
        const lowest = mask.quantization === undefined ? 0 : -mask.quantization.zeroPoint * mask.quantization.scale;
        if (mask.dtype === 'uint16' && mask.quantization?.zeroPoint === 65535 && lowest <= LEAST_MASK * (1 - ROUNDING)) continue;
        yield { what: `the mask of ${printable(graph.name)} is ${encodingText(mask)}`, why: 'the runtime writes 0 for masked and 65535 for visible positions', fix: `use zero point 65535 and a scale of at least ${-LEAST_MASK}/65535`, ...of(graph) };
      }
    },
  },
];

function* tensorNames({ graphs, values }: BundleView): Iterable<ErrorFacts> {
  for (const graph of graphs) {
    const needed = [...(graph.cache.length > 0 ? [ATTENTION_MASK, ROPE_COS, ROPE_SIN] : [])];
    if (graph.part === 1 && !(values.hasEmbedding && graph.inputs.some(({ name }) => INPUT_EMBEDS.includes(name)))) needed.push(INPUT_IDS);
    for (const name of needed) {
      if (input(graph, name) === undefined) yield { what: `${printable(graph.name)} has no input ${name}`, why: 'it is found by this name', ...of(graph) };
    }
    if (graph.part === graph.parts && output(graph, LOGITS) === undefined) yield { what: `${printable(graph.name)} has no output ${LOGITS}`, why: 'it is found by this name', ...of(graph) };
  }
}

/** What graphs of the same pass give under this name in earlier parts. */
function sources(graph: PlacedGraph, graphs: readonly PlacedGraph[], name: string): readonly PlacedGraph['outputs'][number][] {
  const earlier = graphs.filter(({ part, ar, cl }) => part < graph.part && ar === graph.ar && (cl === undefined || graph.cl === undefined || cl === graph.cl));
  return earlier.flatMap((other) => stateOutputs(other).filter((made) => deviceName(made.name) === deviceName(name)));
}

function described(tensor: PlacedGraph['inputs'][number]): string {
  return `${encodingText(tensor)} [${tensor.shape.join(', ')}]`;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

function of(graph: PlacedGraph): { readonly evidence: { readonly path: string } } {
  return { evidence: { path: printable(graph.file) } };
}
