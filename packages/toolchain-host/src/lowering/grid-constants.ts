/** QuantizeLinear and DequantizeLinear nodes, with one pair of constants for each distinct encoding. */
import { DataType, type Graph, type PerTensorEncoding, type Value, bytesOf, floatTensor, inlineTensor } from '@tundish/graph';

const TYPES = { uint8: DataType.UINT8, int8: DataType.INT8, uint16: DataType.UINT16, int16: DataType.INT16 } as const;
const ARRAYS = { uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array } as const;

/** Element type of the codes of an encoding. */
export function codeType(encoding: PerTensorEncoding): DataType {
  return TYPES[encoding.dtype];
}

/** True when both give the same real value to the same code. */
export function sameGrid(a: PerTensorEncoding | undefined, b: PerTensorEncoding | undefined): boolean {
  return a !== undefined && b !== undefined && a.dtype === b.dtype && a.scale === b.scale && a.zeroPoint === b.zeroPoint;
}

/** Adds Q and DQ nodes to one graph. */
export class GridConstants {
  readonly #pairs = new Map<string, readonly [Value, Value]>();

  constructor(readonly graph: Graph) {}

  /** codes = saturate(roundHalfEven(value / scale) + zeroPoint), named `name`. */
  quantize(value: Value, encoding: PerTensorEncoding, name: string): Value {
    return this.#node('QuantizeLinear', value, encoding, name, codeType(encoding));
  }

  /** (codes - zeroPoint) * scale in float32, named `name`. */
  dequantize(codes: Value, encoding: PerTensorEncoding, name: string): Value {
    return this.#node('DequantizeLinear', codes, encoding, name, DataType.FLOAT);
  }

  #node(opType: string, input: Value, encoding: PerTensorEncoding, name: string, dtype: DataType): Value {
    const output = this.graph.addNode({ opType, name: `${name}/${opType}`, inputs: [input, ...this.#pair(encoding)], outputs: [name] }).output();
    output.dtype = dtype;
    output.shape = input.shape;
    return output;
  }

  #pair(encoding: PerTensorEncoding): readonly [Value, Value] {
    const key = `${encoding.dtype} ${encoding.scale} ${encoding.zeroPoint}`;
    const known = this.#pairs.get(key);
    if (known !== undefined) return known;
    const name = `encoding_${this.#pairs.size}`;
    const zeroPoint = bytesOf(ARRAYS[encoding.dtype].of(encoding.zeroPoint));
    const pair = [
      this.graph.addInitializer(`${name}.scale`, floatTensor([encoding.scale], [])),
      this.graph.addInitializer(`${name}.zero_point`, inlineTensor(codeType(encoding), [], zeroPoint)),
    ] as const;
    this.#pairs.set(key, pair);
    return pair;
  }
}
