/** AttributeProto to Attribute and back. */
import { create } from '@bufbuild/protobuf';
import { printable } from '@tundish/diagnostics';
import { graphError } from './errors.js';
import type { Attribute } from './node.js';
import { type AttributeProto, AttributeProtoSchema, AttributeProto_AttributeType as Type } from './onnx_pb.js';
import { decodeTensor, encodeTensor } from './tensor-proto.js';

const text = new TextDecoder();
const bytes = new TextEncoder();

/** @param node how messages call the node @throws ONNX_UNSUPPORTED for subgraphs, sparse tensors, types and references */
export function decodeAttribute(proto: AttributeProto, node: string): Attribute {
  const place = `${node}: attribute ${printable(proto.name)}`;
  switch (proto.type) {
    case Type.INT:
      return { type: 'int', value: exactInt(proto.i, place) };
    case Type.FLOAT:
      return { type: 'float', value: proto.f };
    case Type.STRING:
      return { type: 'string', value: text.decode(proto.s) };
    case Type.INTS:
      return { type: 'ints', value: proto.ints.map((value) => exactInt(value, place)) };
    case Type.FLOATS:
      return { type: 'floats', value: proto.floats };
    case Type.STRINGS:
      return { type: 'strings', value: proto.strings.map((value) => text.decode(value)) };
    case Type.TENSOR:
      if (proto.t !== undefined) return { type: 'tensor', value: decodeTensor(proto.t, place) };
      break;
    default:
      break;
  }
  throw graphError('ONNX_UNSUPPORTED', {
    what: `${place} has type ${Type[proto.type] ?? proto.type}`,
    why: 'graphs are flat: attributes hold numbers, strings or one tensor',
    evidence: { detail: `node ${node}` },
    fix: 'inline subgraphs and functions before the import',
  });
}

export function encodeAttribute(name: string, attribute: Attribute): AttributeProto {
  switch (attribute.type) {
    case 'int':
      return create(AttributeProtoSchema, { name, type: Type.INT, i: BigInt(attribute.value) });
    case 'float':
      return create(AttributeProtoSchema, { name, type: Type.FLOAT, f: attribute.value });
    case 'string':
      return create(AttributeProtoSchema, { name, type: Type.STRING, s: bytes.encode(attribute.value) });
    case 'ints':
      return create(AttributeProtoSchema, { name, type: Type.INTS, ints: attribute.value.map(BigInt) });
    case 'floats':
      return create(AttributeProtoSchema, { name, type: Type.FLOATS, floats: [...attribute.value] });
    case 'strings':
      return create(AttributeProtoSchema, { name, type: Type.STRINGS, strings: attribute.value.map((value) => bytes.encode(value)) });
    case 'tensor':
      return create(AttributeProtoSchema, { name, type: Type.TENSOR, t: encodeTensor('', attribute.value) });
  }
}

function exactInt(value: bigint, place: string): number {
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  if (value >= -limit && value <= limit) return Number(value);
  throw graphError('ONNX_UNSUPPORTED', {
    what: `${place} is ${value}, which is beyond 2^53`,
    why: 'integers are kept as doubles, and this one would be rounded',
    evidence: { detail: place },
    fix: 'export the model with a smaller number',
  });
}
