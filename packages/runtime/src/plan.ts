/** Orders the graphs of all parts by AR and CL, and proves that they fit each other before anything runs. */
import type { Executable, GraphIo, IoTensor } from '@tundish/toolchain';
import { cacheLayout, isCache } from './cache-layout.js';
import type { CacheLayout } from './cache-layout.js';
import { isReal, mismatch, sameTensor } from './tensor-match.js';

/** The inputs that the engine computes. */
export const COMPUTED = ['input_ids', 'attention_mask', 'position_ids_cos', 'position_ids_sin'] as const;
export type ComputedName = (typeof COMPUTED)[number];
export const LOGITS = 'logits';

/** One part's graph in a chain, with the executable that runs it. */
export interface ChainLink {
  readonly executable: Executable;
  readonly io: GraphIo;
  /** Outputs that a later part or the caller reads, without the cache's. */
  readonly forwards: readonly string[];
  /** Names of the cache outputs of this part. */
  readonly cacheOutputs: readonly string[];
}

/** All parts of one AR and CL in order. */
export interface Chain {
  readonly ar: number;
  readonly cl: number;
  readonly links: readonly ChainLink[];
  readonly computed: Readonly<Record<ComputedName, IoTensor>>;
  readonly logits: IoTensor;
}

export interface ExecutionPlan {
  /** Ascending. */
  readonly ars: readonly number[];
  /** Ascending. */
  readonly contextLengths: readonly number[];
  readonly caches: readonly CacheLayout[];
  chain(ar: number, cl: number): Chain;
}

/** What the graphs must agree with. */
export interface PlanExpectations {
  readonly vocabularySize: number;
  /** R/2. */
  readonly rotaryPairs: number;
}

type Placed = Pick<ChainLink, 'executable' | 'io'>;

/**
 * Builds the plan. Parts are chained by the names of their boundary tensors.
 *
 * @param executables the parts in any order; graphs are placed by their names
 * @throws TundishError RUNTIME_IO_MISMATCH naming the graph and the tensor
 */
export function planExecution(executables: readonly Executable[], expected: PlanExpectations): ExecutionPlan {
  const placed = placeGraphs(executables);
  const cells = [...placed.values()].map((link) => link.io.cell);
  const ars = distinct(cells.map((cell) => cell.ar));
  const contextLengths = distinct(cells.map((cell) => cell.cl));
  const parts = Math.max(0, ...cells.map((cell) => cell.parts));
  const chains = new Map<string, Chain>();
  let caches: readonly CacheLayout[] | undefined;
  for (const ar of ars) {
    for (const cl of contextLengths) {
      const links = Array.from({ length: parts }, (_, i) => placed.get(key(ar, cl, i + 1)) ?? missing(`the graph of AR ${ar}, CL ${cl}, part ${i + 1} of ${parts}`));
      const chain = connect(ar, cl, links);
      checkShapes(chain, expected);
      caches = cacheLayout(links.map((link) => link.io), ar, cl, caches);
      chains.set(key(ar, cl), chain);
    }
  }
  if (caches === undefined) return missing('every graph');
  return { ars, contextLengths, caches, chain: (ar, cl) => chains.get(key(ar, cl)) ?? missing(`AR ${ar} with CL ${cl}`) };
}

function placeGraphs(executables: readonly Executable[]): Map<string, Placed> {
  const placed = new Map<string, Placed>();
  for (const executable of executables) {
    for (const io of executable.graphs) {
      const match = /^(?:[A-Za-z]+_)?ar(\d+)_cl(\d+)_(\d+)_of_(\d+)$/.exec(io.name);
      const [ar, cl, part, parts] = match === null ? [] : match.slice(1).map(Number);
      const { cell } = io;
      if (ar !== cell.ar || cl !== cell.cl || part !== cell.part || parts !== cell.parts) throw mismatch(`graph ${io.name} is not named after its AR, CL and part`);
      if (placed.has(key(ar, cl, part))) throw mismatch(`graph ${io.name} exists twice`);
      placed.set(key(ar, cl, part), { executable, io });
    }
  }
  return placed;
}

/** Every input is computed, cached, or an output of an earlier part under the same name and with the same encoding. */
function connect(ar: number, cl: number, links: readonly Placed[]): Chain {
  const given = new Map<string, IoTensor>();
  const computed = new Map<string, IoTensor>();
  const read = new Set([LOGITS]);
  for (const { io } of links) {
    for (const input of io.inputs.filter(({ name }) => !isCache(name))) {
      if (isComputed(input.name) && !computed.has(input.name)) computed.set(input.name, input);
      const source = computed.get(input.name) ?? given.get(input.name);
      if (source === undefined) throw mismatch(`${io.name} takes ${input.name}, which no earlier part gives`);
      if (!sameTensor(source, input)) throw mismatch(`${io.name} takes ${input.name} in another type, shape or encoding than it is given`);
      read.add(input.name);
    }
    for (const output of io.outputs) given.set(output.name, output);
  }
  const input = (name: ComputedName): IoTensor => computed.get(name) ?? missing(`the input ${name} of AR ${ar}, CL ${cl}`);
  return {
    ar,
    cl,
    links: links.map((link) => ({
      ...link,
      forwards: link.io.outputs.map(({ name }) => name).filter((name) => read.has(name)),
      cacheOutputs: link.io.outputs.map(({ name }) => name).filter(isCache),
    })),
    computed: {
      input_ids: input('input_ids'),
      attention_mask: input('attention_mask'),
      position_ids_cos: input('position_ids_cos'),
      position_ids_sin: input('position_ids_sin'),
    },
    logits: given.get(LOGITS) ?? missing(`the output ${LOGITS} of AR ${ar}, CL ${cl}`),
  };
}

function checkShapes(chain: Chain, expected: PlanExpectations): void {
  const { ar, cl, computed } = chain;
  if (ar >= cl) throw mismatch(`AR ${ar} is not below CL ${cl}`);
  const rope = [1, 1, ar, expected.rotaryPairs];
  const rules: readonly (readonly [IoTensor, readonly number[]])[] = [
    [computed.input_ids, [1, ar]],
    [computed.attention_mask, [1, 1, ar, cl]],
    [computed.position_ids_cos, rope],
    [computed.position_ids_sin, rope],
    [chain.logits, [1, ar, expected.vocabularySize]],
  ];
  for (const [tensor, shape] of rules) {
    if (tensor.shape.join() !== shape.join()) throw mismatch(`${tensor.name} of AR ${ar}, CL ${cl} is [${tensor.shape.join()}] instead of [${shape.join()}]`);
    const fits = tensor === computed.input_ids ? tensor.dtype === 'int32' : isReal(tensor);
    if (!fits) throw mismatch(`${tensor.name} of AR ${ar}, CL ${cl} is ${tensor.dtype} with the wrong quantization`);
  }
}

function isComputed(name: string): boolean {
  return (COMPUTED as readonly string[]).includes(name);
}

function distinct(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

function key(...numbers: number[]): string {
  return numbers.join('/');
}

function missing(what: string): never {
  throw mismatch(`the container lacks ${what}`);
}
