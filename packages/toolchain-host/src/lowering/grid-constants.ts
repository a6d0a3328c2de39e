/** QuantizeLinear and DequantizeLinear nodes, with one pair of constants for each distinct encoding. */
import { type Attribute, DataType, type Graph, type PerTensorEncoding, type Value, bytesOf, floatTensor, inlineTensor } from '@tundish/graph';

const TYPES = { uint8: DataType.UINT8, int8: DataType.INT8, uint16: DataType.UINT16, int16: DataType.INT16 } as const;
const ARRAYS = { uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array } as const;

/** Element type of the codes of an encoding. */
export function codeType(encoding: PerTensorEncoding): DataType {
  return TYPES[encoding.dtype];
}

/** True when both give the same real value to the same code. */
export function sameGrid(a: PerTensorEncoding | undefined, b: PerTensorEncoding | undefined): boolean {
  return a !== undefined && b !== undefined && a.dtype === b.dtype && a.scale === b.scale && a.zeroPoint === b.zeroPoint && String(a.headScales) === String(b.headScales);
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

  /** As `quantize`, with a grid for each index of the first axis; all of one type. */
  quantizeRows(value: Value, encodings: readonly PerTensorEncoding[], name: string): Value {
    return this.#node('QuantizeLinear', value, encodings, name, codeType(encodings[0] as PerTensorEncoding));
  }

  /** The inverse of `quantizeRows`. */
  dequantizeRows(codes: Value, encodings: readonly PerTensorEncoding[], name: string): Value {
    return this.#node('DequantizeLinear', codes, encodings, name, DataType.FLOAT);
  }

  #node(opType: string, input: Value, encoding: PerTensorEncoding | readonly PerTensorEncoding[], name: string, dtype: DataType): Value {
    const rows = Array.isArray(encoding) ? (encoding as readonly PerTensorEncoding[]) : undefined;
    const constants = rows === undefined ? this.#pair(encoding as PerTensorEncoding) : this.#rows(rows);
    const attributes: Record<string, Attribute> = rows === undefined ? {} : { axis: { type: 'int', value: 0 } };
    const output = this.graph.addNode({ opType, name: `${name}/${opType}`, inputs: [input, ...constants], outputs: [name], attributes }).output();
    output.dtype = dtype;
    output.shape = input.shape;
    return output;
  }

  #rows(encodings: readonly PerTensorEncoding[]): readonly [Value, Value] {
    const { dtype } = encodings[0] as PerTensorEncoding;
    return this.#constants(encodings.map(keyOf).join(), [encodings.length], encodings, dtype);
  }

  #pair(encoding: PerTensorEncoding): readonly [Value, Value] {
    return this.#constants(keyOf(encoding), [], [encoding], encoding.dtype);
  }

  #constants(key: string, dims: readonly number[], encodings: readonly PerTensorEncoding[], dtype: PerTensorEncoding['dtype']): readonly [Value, Value] {
    const known = this.#pairs.get(key);
    if (known !== undefined) return known;
    const name = `encoding_${this.#pairs.size}`;
    const zeroPoints = bytesOf(ARRAYS[dtype].from(encodings.map(({ zeroPoint }) => zeroPoint)));
    const pair = [
      this.graph.addInitializer(`${name}.scale`, floatTensor(encodings.map(({ scale }) => scale), dims)),
      this.graph.addInitializer(`${name}.zero_point`, inlineTensor(TYPES[dtype], dims, zeroPoints)),
    ] as const;
    this.#pairs.set(key, pair);
    return pair;
  }
}

function keyOf({ dtype, scale, zeroPoint }: PerTensorEncoding): string {
  return `${dtype} ${scale} ${zeroPoint}`;
}
