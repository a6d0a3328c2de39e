/** A toolchain whose model recites: after position p it always wants token script[p + 1]. */
import { graphName } from '@tundish/toolchain';
import type { Executable, GraphIo, IoTensor, Toolchain } from '@tundish/toolchain';

export interface Script {
  readonly vocabularySize: number;
  /** Token wanted at each position. */
  ids: readonly number[];
  /** Passes executed so far, as `arN xCount`. */
  readonly passes: string[];
  /** The token that was put at each position last. */
  readonly seen: number[];
  closed: number;
  failOpen: boolean;
}

export const ARS = [1, 8];
export const CONTEXT_LENGTHS = [16, 64];

export function scriptedGraphs(vocabularySize: number): GraphIo[] {
  const tensor = (name: string, shape: number[], dtype: IoTensor['dtype'] = 'float32'): IoTensor => ({ name, dtype, shape });
  return ARS.flatMap((ar) => CONTEXT_LENGTHS.map((cl) => {
    const cell = { ar, cl, part: 1, parts: 1 };
    const caches = (suffix: string, n: number): IoTensor[] => [tensor(`past_key_0_${suffix}`, [1, 1, 2, n]), tensor(`past_value_0_${suffix}`, [1, 1, n, 2])];
    return {
      name: graphName(cell),
      cell,
      inputs: [
        tensor('input_ids', [1, ar], 'int32'), tensor('attention_mask', [1, 1, ar, cl]), tensor('position_ids_cos', [1, 1, ar, 1]), tensor('position_ids_sin', [1, 1, ar, 1]),
        ...caches('in', cl - ar),
      ],
      outputs: [tensor('logits', [1, ar, vocabularySize]), ...caches('out', ar)],
    };
  }));
}

export function scriptedToolchain(script: Script): Toolchain {
  const unused = (): never => {
    throw new RangeError('a runtime neither converts nor compiles');
  };
  return {
    name: 'scripted',
    identity: () => Promise.resolve({ name: 'scripted', version: '1', machine: '', operators: '' }),
    limits: () => ({}),
    modules: { convert: [], compile: [] },
    convert: unused,
    compile: unused,
    open: ({ graphs, files }) => {
      if (script.failOpen || !files.has('weights.data')) return Promise.reject(new RangeError('part does not open'));
      return Promise.resolve(executable(script, graphs));
    },
  };
}

function executable(script: Script, graphs: readonly GraphIo[]): Executable {
  return {
    graphs,
    run: (name, inputs) => {
      const { ar, cl } = graphs.find((graph) => graph.name === name)?.cell ?? { ar: 0, cl: 0 };
      const mask = inputs.get('attention_mask') ?? new Float32Array(0);
      const logits = new Float32Array(ar * script.vocabularySize);
      let rows = 0;
      for (let row = 0; row < ar; row++) {
        // The position of a row is the number of columns that it sees, less itself.
        const position = mask.subarray(row * cl, (row + 1) * cl).filter((m) => m === 0).length - 1;
        if (position < 0) continue;
        rows++;
        script.seen[position] = Number(inputs.get('input_ids')?.[row]);
        logits[row * script.vocabularySize + (script.ids[position + 1] ?? 0)] = 9;
      }
      script.passes.push(`ar${ar} x${rows}`);
      return Promise.resolve(new Map([['logits', logits], ['past_key_0_out', new Float32Array(2 * ar)], ['past_value_0_out', new Float32Array(2 * ar)]]));
    },
    prepare: () => Promise.resolve(),
    close: () => {
      script.closed++;
      return Promise.resolve();
    },
  };
}
