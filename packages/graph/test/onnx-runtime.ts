/** Runs a model of ours in ONNX Runtime, the outside opinion that these tests compare with. */
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { DataType as T, type Model, type Value, elementCount, encodeModel } from '../src/index.js';

const ORT_TYPES: Partial<Record<number, OrtTensor.Type>> = {
  [T.FLOAT]: 'float32',
  [T.FLOAT16]: 'float16',
  [T.INT32]: 'int32',
  [T.INT64]: 'int64',
  [T.UINT8]: 'uint8',
  [T.INT8]: 'int8',
  [T.UINT16]: 'uint16',
  [T.INT16]: 'int16',
  [T.BOOL]: 'bool',
};

export function ortType(value: Value): OrtTensor.Type {
  const type = value.dtype === undefined ? undefined : ORT_TYPES[value.dtype];
  if (type === undefined) throw new Error(`${value.name} has a type that ONNX Runtime's binding cannot show`);
  return type;
}

/** Feeds zeros (or what `feeds` gives) to all inputs. */
export async function runOrt(model: Model, feeds: Record<string, OrtTensor> = {}): Promise<Record<string, OrtTensor>> {
  const session = await InferenceSession.create(encodeModel(model), { logSeverityLevel: 3 });
  try {
    const all = model.graph.inputs.map((input) => [input.name, feeds[input.name] ?? zeros(input)] as const);
    return (await session.run(Object.fromEntries(all))) as Record<string, OrtTensor>;
  } finally {
    await session.release();
  }
}

function zeros(value: Value): OrtTensor {
  const dims = (value.shape ?? []).map(Number);
  const count = elementCount(dims);
  switch (ortType(value)) {
    case 'float32':
      return new OrtTensor('float32', new Float32Array(count), dims);
    case 'int64':
      return new OrtTensor('int64', new BigInt64Array(count), dims);
    case 'int32':
      return new OrtTensor('int32', new Int32Array(count), dims);
    case 'uint16':
      return new OrtTensor('uint16', new Uint16Array(count), dims);
    case 'bool':
      return new OrtTensor('bool', new Uint8Array(count), dims);
    default:
      return new OrtTensor('uint8', new Uint8Array(count), dims);
  }
}
