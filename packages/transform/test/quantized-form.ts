/** Puts random block-quantized weights into the attention projections of a graph, in the form that quantization writes. */
import { type Attribute, DataType, type ExternalTensor, type Graph, type Model, type Value, cloneModel } from '@tundish/graph';

export const QUANTIZED_FILE = 'random.weights';
export const BLOCK_SIZE = 16;

/** Collects tensors as ranges of one file. */
class RandomFile {
  readonly #pieces: Uint8Array[] = [];
  #size = 0;
  #state = 99;

  add(dtype: DataType, dims: readonly number[], bytes: Uint8Array): ExternalTensor {
    this.#pieces.push(bytes);
    const offset = this.#size;
    this.#size += bytes.length;
    return { kind: 'external', dtype, dims, location: QUANTIZED_FILE, offset, length: bytes.length };
  }

  random(): number {
    this.#state = (this.#state * 1664525 + 1013904223) >>> 0;
    return this.#state / 2 ** 32;
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#pieces);
  }
}

/** @returns a copy of the model with LPBQ weights, and the bytes of QUANTIZED_FILE */
export function quantizeProjections(source: Model): { readonly model: Model; readonly bytes: Uint8Array } {
  const model = cloneModel(source);
  const file = new RandomFile();
  for (const weight of model.graph.initializers.filter(({ name }) => name.includes('_proj.weight') && name.includes('self_attn'))) {
    const [rows = 0, columns = 0] = weight.tensor?.dims ?? [];
    const readers = weight.uses;
    for (const { node, index } of readers) node.replaceInput(index, undefined);
    model.graph.removeValue(weight);
    const root = expression(model.graph, file, weight.name, rows, columns);
    for (const { node, index } of readers) node.replaceInput(index, root);
  }
  return { model, bytes: file.bytes() };
}

function expression(graph: Graph, file: RandomFile, name: string, rows: number, columns: number): Value {
  const blocks = columns / BLOCK_SIZE;
  const random = (length: number, make: () => number): Uint8Array => Uint8Array.from({ length }, make);
  const codes = file.add(DataType.UINT4, [rows, columns], random((rows * columns) / 2, () => Math.floor(file.random() * 256)));
  const blockScale = file.add(DataType.UINT8, [rows, blocks], random(rows * blocks, () => 1 + Math.floor(file.random() * 16)));
  const channels = Float32Array.from({ length: rows }, () => 0.001 + 0.002 * file.random());
  const channelScale = file.add(DataType.FLOAT, [rows, 1], new Uint8Array(channels.buffer));
  const zeroPoint = file.add(DataType.UINT4, [rows, blocks], random(Math.ceil((rows * blocks) / 2), () => 0x88));
  const initializer = (suffix: string, tensor: ExternalTensor): Value => graph.addInitializer(`${name}${suffix}`, tensor);
  const int = (value: number): Attribute => ({ type: 'int', value });
  const add = (opType: string, suffix: string, inputs: readonly Value[], attributes: Record<string, Attribute>, shape: readonly number[]): Value => {
    const value = graph.addNode({ opType, name: `${name}/${suffix}`, inputs, attributes }).output();
    value.dtype = DataType.FLOAT;
    value.shape = shape;
    return value;
  };
  const widened = add('Cast', 'block_scale', [initializer('.block_scale', blockScale)], { to: int(DataType.FLOAT) }, [rows, blocks]);
  const scale = add('Mul', 'scale', [widened, initializer('.channel_scale', channelScale)], {}, [rows, blocks]);
  return add('DequantizeLinear', 'dequantized', [initializer('', codes), scale, initializer('.zero_point', zeroPoint)], { axis: int(1), block_size: int(BLOCK_SIZE) }, [rows, columns]);
}
