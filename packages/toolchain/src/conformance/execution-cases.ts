/** Conformance of open and run: results against the simulation, against each other, and whatever the number of threads. */
import assert from 'node:assert/strict';
import { type Executable, type GraphIo, type IoTensor, type TensorData, graphName } from '../port.js';
import type { Case } from './build-cases.js';
import { type Array64, simulate } from './simulate.js';
import { tinyInputs } from './tiny-encodings.js';
import { BOUNDARY, tinyModel } from './tiny-model.js';
import { SIZES, type Variant, type Workbench, tensorData } from './workbench.js';

/**
 * Codes by which a result may differ from the simulation: float32 sums put a value on the other side of a rounding edge.
 * One code of a masked score is 3e-4 of its probability, or 20 codes: so a few values may be off by more.
 */
const TOLERANCE = { uint16: { most: 2, all: 4 }, uint8: { most: 0, all: 1 } } as const;
const MOST = 0.98;
const RELATIVE = 1e-5;

function graphOf(executable: Executable, size: { ar: number; cl: number }): GraphIo {
  const found = executable.graphs.find(({ cell }) => cell.ar === size.ar && cell.cl === size.cl);
  assert.ok(found, `no graph for ${size.ar} ${size.cl}`);
  return found;
}

function feeds(graph: GraphIo, real: ReadonlyMap<string, ArrayLike<number>>): Map<string, TensorData> {
  return new Map(graph.inputs.map((table) => [table.name, tensorData(table, real.get(table.name) ?? [])]));
}

function realValues({ quantization }: IoTensor, data: TensorData | undefined): Float64Array {
  return Float64Array.from(data ?? [], (code) => (quantization === undefined ? code : (code - quantization.zeroPoint) * quantization.scale));
}

function assertNear(graph: GraphIo, got: ReadonlyMap<string, TensorData>, expected: ReadonlyMap<string, Array64>): void {
  for (const table of graph.outputs) {
    const { name, dtype, quantization } = table;
    const want = (expected.get(name) as Array64).data;
    const have = got.get(name);
    assert.equal(have?.length, want.length, `${name} has its size`);
    assert.ok(new Set(have).size > 8, `${name} is not constant`);
    const errors = realValues(table, have).map((x, i) => Math.abs(x - (want[i] as number)));
    const largest = want.reduce((top, x) => Math.max(top, Math.abs(x)), 0);
    const step = quantization?.scale ?? largest * RELATIVE;
    const tolerance = dtype === 'uint8' || dtype === 'uint16' ? TOLERANCE[dtype] : { most: 1, all: 1 };
    const within = (codes: number): number => errors.filter((error) => error <= (codes + 1e-3) * step).length / errors.length;
    const found = `${graph.name} ${name}: ${within(tolerance.most)} within ${tolerance.most}, ${within(tolerance.all)} within ${tolerance.all} steps`;
    assert.ok(within(tolerance.most) >= MOST && within(tolerance.all) === 1, found);
  }
}

async function withOpened<T>(bench: Workbench, variant: Variant, part: number, threads: number, use: (executable: Executable) => Promise<T>): Promise<T> {
  const executable = await bench.open(variant, part, threads);
  try {
    return await use(executable);
  } finally {
    await executable.close();
  }
}

/** Each part is judged on the state and the caches that it really got, so that errors do not add up over the layers. */
async function againstSimulation(bench: Workbench, variant: Variant): Promise<void> {
  const encodings = variant.quantized ? { encodings: bench.encodings.activations } : {};
  const inputs = SIZES.map((size, i) => tinyInputs(size, 100 + i));
  for (let part = 1; part <= variant.parts; part++) {
    await withOpened(bench, variant, part, 1, async (executable) => {
      for (const [i, size] of SIZES.entries()) {
        const graph = graphOf(executable, size);
        const real = inputs[i] as Map<string, Float64Array>;
        const got = await executable.run(graph.name, feeds(graph, real));
        const taken = new Map(graph.outputs.map((table) => [table.name, realValues(table, got.get(table.name))]));
        const { graph: source } = tinyModel({ ...size, part, ...variant }, bench.weights);
        assertNear(graph, got, simulate({ graph: source, inputs: real, weights: bench.weights.bytes, taken, ...encodings }));
        const state = taken.get(BOUNDARY);
        if (state !== undefined) real.set(BOUNDARY, state);
      }
    });
  }
}

async function chained(bench: Workbench, quantized: boolean): Promise<void> {
  const size = { ar: 4, cl: 32 };
  const real = tinyInputs(size, 7);
  const run = (parts: 1 | 2, part: number, state?: TensorData): Promise<Map<string, TensorData>> =>
    withOpened(bench, { quantized, parts }, part, 1, async (executable) => {
      const graph = graphOf(executable, size);
      const inputs = feeds(graph, real);
      if (state !== undefined) inputs.set(BOUNDARY, state);
      return executable.run(graph.name, inputs);
    });
  const whole = await run(1, 1);
  const first = await run(2, 1);
  const second = await run(2, 2, first.get(BOUNDARY));
  for (const [name, data] of whole) assert.deepEqual(second.get(name) ?? first.get(name), data, `${name} through two parts`);
}

/** A copy in memory that threads share, at an offset of its own. */
function inSharedMemory(data: TensorData): TensorData {
  const Type = data.constructor as new (memory: SharedArrayBuffer, offset: number, length: number) => TensorData;
  const copy = new Type(new SharedArrayBuffer(data.byteLength + 64), 64, data.length);
  copy.set(data);
  return copy;
}

export const EXECUTION_CASES: readonly Case[] = [
  ['runs a floating-point build as the simulation does', (bench) => againstSimulation(bench, { quantized: false, parts: 1 })],
  ['runs a W4A16 build with uint8 caches as the simulation does', (bench) => againstSimulation(bench, { quantized: true, parts: 2 })],
  ['computes the same through two parts as in one, quantized', (bench) => chained(bench, true)],
  ['computes the same through two parts as in one, in floating point', (bench) => chained(bench, false)],
  ['computes the same on 1 and 2 threads and in repeated calls, and leaves its inputs alone', async (bench) => {
    const size = { ar: 4, cl: 32 };
    const real = tinyInputs(size, 9);
    const results: Map<string, TensorData>[] = [];
    for (const threads of [1, 2]) {
      await withOpened(bench, { quantized: true, parts: 1 }, 1, threads, async (executable) => {
        const graph = graphOf(executable, size);
        const inputs = feeds(graph, real);
        const kept = structuredClone(inputs);
        results.push(await executable.run(graph.name, inputs), await executable.run(graph.name, inputs));
        assert.deepEqual(inputs, kept);
      });
    }
    for (const result of results) assert.deepEqual(result, results[0]);
  }],
  ['computes the same from inputs in shared memory, and leaves them as they are, also after a failure', async (bench) => {
    const size = { ar: 4, cl: 32 };
    await withOpened(bench, { quantized: true, parts: 1 }, 1, 1, async (executable) => {
      const graph = graphOf(executable, size);
      const own = feeds(graph, tinyInputs(size, 13));
      const shared = new Map([...own].map(([name, data]) => [name, name.startsWith('past_') ? inSharedMemory(data) : data]));
      const expected = await executable.run(graph.name, own);
      for (let call = 0; call < 2; call++) assert.deepEqual(await executable.run(graph.name, shared), expected);
      const wrong = new Map(shared).set('input_ids', Int32Array.from({ length: size.ar }, () => 1e9));
      await assert.rejects(executable.run(graph.name, wrong));
      for (const [name, data] of own) assert.deepEqual(Array.from(shared.get(name) ?? []), Array.from(data));
    });
  }],
  ['returns the outputs that are asked for and no others', async (bench) => {
    const size = { ar: 1, cl: 16 };
    await withOpened(bench, { quantized: true, parts: 1 }, 1, 1, async (executable) => {
      const inputs = feeds(graphOf(executable, size), tinyInputs(size, 11));
      const result = await executable.run(graphName({ ...size, part: 1, parts: 1 }), inputs, ['logits']);
      assert.deepEqual([...result.keys()], ['logits']);
    });
  }],
];
