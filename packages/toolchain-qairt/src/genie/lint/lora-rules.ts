/** Rules about adapters whose weights are inputs of the graphs (lora-version 1). */
import { printable } from '@tundish/diagnostics';
import type { BundleTensor } from '../bundle.js';
import { GENIE_CONFIG_FILE } from '../bundle.js';
import { isLoraInput } from '../tensor-names.js';
import type { BundleRule } from './rule.js';
import type { BundleView } from './view.js';

const DEFAULT_ALPHA = 'lora_alpha';

export const LORA_RULES: readonly BundleRule[] = [
  {
    code: 'GENIE_LORA_INPUTS',
    asks: 'a configuration with adapters goes with graphs that have inputs with `lora` in their names',
    genie: 'refuses it',
    *check({ values, graphs }) {
      if (values.lora !== undefined && graphs.length > 0 && !graphs.some((graph) => graph.inputs.some(({ name }) => isLoraInput(name)))) yield { what: 'the configuration names adapters, and no graph has an input for one', evidence: { path: GENIE_CONFIG_FILE } };
    },
  },
  {
    code: 'GENIE_LORA_ALPHA',
    asks: '`alpha-tensor-name` (`lora_alpha` if not given) is an input of one value in every graph that takes weights of adapters',
    genie: 'says nothing',
    *check({ values, graphs }) {
      if (values.lora === undefined) return;
      const alpha = values.lora.alpha ?? DEFAULT_ALPHA;
      for (const graph of graphs.filter(({ inputs }) => inputs.some(({ name }) => isLoraInput(name)))) {
        const found = graph.inputs.find(({ name }) => name === alpha);
        if (found !== undefined && elements(found) === 1) continue;
        const what = found === undefined ? `${printable(graph.name)} has no input ${printable(alpha)}` : `${printable(alpha)} of ${printable(graph.name)} has ${elements(found)} values`;
        yield { what, why: 'setting the strength then succeeds and changes nothing', fix: 'make the strength one value', evidence: { path: printable(graph.file) } };
      }
    },
  },
  {
    code: 'GENIE_LORA_FILE',
    asks: 'each adapter has `<path>/<input>.raw` for each of these inputs, 4 bytes a value',
    genie: 'refuses it',
    *check({ bundle, values, graphs }) {
      for (const adapter of values.lora?.adapters ?? []) {
        for (const [name, tensor] of adapterWeights(graphs, values.lora?.alpha)) {
          const path = `${adapter.path}/${name}.raw`;
          const [size, bytes] = [bundle.files.get(path), 4 * elements(tensor)];
          if (size !== bytes) yield { what: `${printable(path)} of adapter ${printable(adapter.name)} ${size === undefined ? 'is missing' : `has ${size} bytes`}`, why: `the input takes ${bytes} bytes of float32`, evidence: { path: printable(path) } };
        }
      }
    },
  },
];

/** Inputs that are read from files: the strength only where the configuration does not name it. */
function adapterWeights(graphs: BundleView['graphs'], alpha: string | undefined): Map<string, BundleTensor> {
  return new Map(graphs.flatMap(({ inputs }) => inputs.filter(({ name }) => isLoraInput(name) && name !== alpha).map((tensor) => [tensor.name, tensor] as const)));
}

function elements(tensor: BundleTensor): number {
  return tensor.shape.reduce((product, size) => product * size, 1);
}
