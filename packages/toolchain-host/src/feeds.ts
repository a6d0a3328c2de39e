/** Checks inputs and asked-for outputs against the table of a graph before anything crosses into native code. */
import { printable } from '@tundish/diagnostics';
import type { IoTensor, IoType, TensorData } from '@tundish/toolchain';
import { hostError } from './errors.js';
import type { Feed } from './worker-protocol.js';

/** @throws HOST_INPUT naming the first input that is missing, unknown, or of the wrong type or size */
export function checkedFeeds(graph: string, table: readonly IoTensor[], inputs: ReadonlyMap<string, TensorData>): Feed[] {
  const known = new Set(table.map(({ name }) => name));
  const stray = [...inputs.keys()].find((name) => !known.has(name));
  if (stray !== undefined) throw wrong(graph, `no input ${printable(stray)}`, `its inputs are ${[...known].join(', ')}`);
  return table.map(({ name, dtype, shape }) => {
    const data = inputs.get(name);
    const count = shape.reduce((product, dim) => product * dim, 1);
    if (data === undefined) throw wrong(graph, `input ${name} is missing`);
    const found = typeName(data);
    if (found !== dtype || data.length !== count) {
      throw wrong(graph, `input ${name} is ${dtype} [${shape}] (${count} elements), got ${found} with ${data.length}`);
    }
    return { name, dims: shape, data };
  });
}

/** @throws HOST_OUTPUT naming the first output that the graph does not have */
export function checkedFetches(graph: string, known: readonly string[], asked: readonly string[] | undefined): readonly string[] {
  const unknown = asked?.find((name) => !known.includes(name));
  if (unknown === undefined) return asked ?? known;
  throw hostError('HOST_OUTPUT', { what: `${graph} has no output ${printable(unknown)}`, why: `its outputs are ${known.join(', ')}` });
}

function typeName(data: TensorData): IoType {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Uint16Array) return 'uint16';
  return data instanceof Int32Array ? 'int32' : 'uint8';
}

function wrong(graph: string, what: string, why?: string): Error {
  return hostError('HOST_INPUT', { what: `${graph}: ${what}`, ...(why === undefined ? {} : { why }) });
}
