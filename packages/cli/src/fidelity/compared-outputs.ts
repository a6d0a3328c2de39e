/** Compares what two toolchains write into the cache, layer by layer, while both run the same graphs over the same text. */
import { type Executable, type GraphIo, type TensorData, type Toolchain, widenFloat16 } from '@tundish/toolchain';

/** Absolute differences, in codes of the cache; of values where it has floats. */
export interface CacheDistance {
  readonly layer: number;
  readonly key: { readonly mean: number; readonly max: number };
  readonly value: { readonly mean: number; readonly max: number };
}

interface Sums {
  total: number;
  max: number;
  count: number;
}

const CACHE = /^past_(key|value)_(\d+)_out$/;

type Side = 'device' | 'simulation';
type Outputs = ReadonlyMap<string, TensorData>;

/** Runs of one graph count from its first one on each side; a run waits in memory until the other side has it. */
export class ComparedOutputs {
  readonly #waiting = { device: new Map<string, Outputs[]>(), simulation: new Map<string, Outputs[]>() };
  readonly #sums = new Map<string, Sums>();

  /** A toolchain that computes the same, and is listened to. */
  listen(side: Side, toolchain: Toolchain): Toolchain {
    return { ...toolchain, open: async (request) => this.#listened(side, await toolchain.open(request)) };
  }

  /** By layer, ascending. */
  rows(): CacheDistance[] {
    const layers = [...new Set([...this.#sums.keys()].map((name) => Number(CACHE.exec(name)?.[2])))].sort((a, b) => a - b);
    return layers.map((layer) => ({ layer, key: this.#distance(`past_key_${layer}_out`), value: this.#distance(`past_value_${layer}_out`) }));
  }

  #distance(name: string): CacheDistance['key'] {
    const { total, max, count } = this.#sums.get(name) ?? { total: 0, max: 0, count: 0 };
    return { mean: count === 0 ? 0 : total / count, max };
  }

  #listened(side: Side, executable: Executable): Executable {
    return {
      graphs: executable.graphs,
      prepare: (graph) => executable.prepare(graph),
      close: () => executable.close(),
      run: async (graph, inputs, outputs) => {
        const results = await executable.run(graph, inputs, outputs);
        this.#take(side, graph, cachesOf(results, executable.graphs.find(({ name }) => name === graph)));
        return results;
      },
    };
  }

  #take(side: Side, graph: string, caches: Outputs): void {
    const other = this.#waiting[side === 'device' ? 'simulation' : 'device'].get(graph)?.shift();
    if (other !== undefined) return this.#compare(caches, other);
    const waiting = this.#waiting[side];
    waiting.set(graph, [...(waiting.get(graph) ?? []), caches]);
  }

  #compare(one: Outputs, other: Outputs): void {
    for (const [name, codes] of one) {
      const others = other.get(name);
      const sums = this.#sums.get(name) ?? { total: 0, max: 0, count: 0 };
      for (let i = 0; i < codes.length; i++) {
        const difference = Math.abs((codes[i] as number) - (others?.[i] ?? NaN));
        sums.total += difference;
        sums.max = Math.max(sums.max, difference);
      }
      sums.count += codes.length;
      this.#sums.set(name, sums);
    }
  }
}

/** Half floats as their values. */
function cachesOf(results: Outputs, io: GraphIo | undefined): Outputs {
  const halves = new Set(io?.outputs.filter(({ dtype }) => dtype === 'float16').map(({ name }) => name));
  return new Map([...results].filter(([name]) => CACHE.test(name)).map(([name, data]) => [name, halves.has(name) ? widenFloat16(data as Uint16Array) : data]));
}
