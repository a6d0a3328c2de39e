/** Reads encodings 2.0.0 and 2.1.0: one list in the convention of ONNX QuantizeLinear, scales in the storage order of the weight. */
import { type JsonObject, type JsonValue, isJsonObject } from '@tundish/checkpoint';
import { type Graph, constantValues } from '@tundish/graph';
import { channelFirst, expectLayoutInGraph, flatten, layoutOf } from './block-layout.js';
import type { Bits, EncodingsDocument, EncodingsEntry, IntegerGrid, TensorEncoding } from './document.js';
import { type Place, expectLength, fieldError, listOf, numbersOf, oneOf, positiveScale, scalesOf, shapeError, unusedFields, wholeNumber } from './fields.js';
import { fromOnnxZeroPoint, middleOf } from './offsets.js';
import { type ReadRequest, expectChannels, namedObjects } from './reading.js';

export const INTEGER_TYPES = ['int4', 'uint4', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32'] as const;

const TABLE = 'encodings';
const LARGEST_BLOCK = 2 ** 31 - 1;
const LARGEST_AXIS = 7;

/** Type of codes without a word on symmetry. */
type Codes = Pick<IntegerGrid, 'bits' | 'signed'>;

/** @throws ENCODINGS_FIELD, ENCODINGS_SHAPE, ENCODINGS_DUPLICATE */
export function readEncodings200(request: ReadRequest): EncodingsDocument {
  return readVersion2(request, '2.0.0');
}

/** @throws ENCODINGS_FIELD, ENCODINGS_SHAPE, ENCODINGS_DUPLICATE */
export function readEncodings210(request: ReadRequest): EncodingsDocument {
  return readVersion2(request, '2.1.0');
}

function readVersion2(request: ReadRequest, version: '2.0.0' | '2.1.0'): EncodingsDocument {
  const constants = request.graph === undefined ? undefined : new Set([...constantValues(request.graph)].map(({ name }) => name));
  const entries = namedObjects(request, TABLE).map(([place, object]): EncodingsEntry => {
    const { encoding, used } = formOf(place, object, version, request.graph);
    const name = place.tensor ?? '';
    return { name, role: roleOf(name, encoding, request.graph, constants), encoding, extra: unusedFields(object, ['name', 'output_dtype', ...used]) };
  });
  return { version, entries, extra: unusedFields(request.file, ['version', TABLE]) };
}

/** Activations have one scale; one scale alone may belong to either, and only a graph tells. */
function roleOf(name: string, encoding: TensorEncoding, graph: Graph | undefined, constants: ReadonlySet<string> | undefined): EncodingsEntry['role'] {
  if (encoding.kind !== 'per-tensor') return 'parameter';
  if (constants === undefined || graph?.find(name) === undefined) return undefined;
  return constants.has(name) ? 'parameter' : 'activation';
}

function formOf(place: Place, object: JsonObject, version: '2.0.0' | '2.1.0', graph: Graph | undefined): { readonly encoding: TensorEncoding; readonly used: readonly string[] } {
  const type = oneOf(place, object, 'output_dtype', INTEGER_TYPES);
  const codes: Codes = { bits: Number(/\d+$/.exec(type)?.[0]) as Bits, signed: !type.startsWith('u') };
  if (object.has('per_block_int_scale')) return { encoding: flatLpbq(place, object, codes, graph), used: ['axis', 'block_size', 'per_block_int_scale', 'per_channel_float_scale'] };
  const scale = object.get('y_scale');
  if (version === '2.1.0' && isJsonObject(scale)) return { encoding: nestedLpbq(place, object, scale, codes, graph), used: ['axis', 'block_size', 'y_scale'] };
  if (typeof scale === 'number') {
    const given = object.get('y_zero_point');
    const zeroPoint = zeroPointOf(place, given === undefined ? 0 : given, codes);
    return { encoding: { kind: 'per-tensor', grid: gridOf(codes, [zeroPoint]), scale: positiveScale(place, 'y_scale', scale), zeroPoint }, used: ['y_scale', 'y_zero_point'] };
  }
  if (!Array.isArray(scale)) throw fieldError(place, 'y_scale', scale, version === '2.1.0' ? 'a number, a list or an object' : 'a number or a list');
  const { shape, values } = flatten(place, 'y_scale', scale);
  const scales = scalesOf(place, 'y_scale', values);
  const zeroPoints = zeroPointsOf(place, object, shape, codes);
  if (object.has('block_size')) return { encoding: blocksOf(place, object, { shape, scales, zeroPoints, codes }, graph), used: ['axis', 'block_size', 'y_scale', 'y_zero_point'] };
  if (shape.length !== 1) throw shapeError(place, 'y_scale', `has ${shape.length} axes and there is no block_size`);
  const axis = axisOf(place, object);
  expectChannels(place, 'y_scale', scales.length, graph, axis);
  return { encoding: { kind: 'per-channel', grid: gridOf(codes, zeroPoints), scale: scales, zeroPoint: zeroPoints, axis }, used: ['axis', 'y_scale', 'y_zero_point'] };
}

function gridOf(codes: Codes, zeroPoints: Iterable<number>): IntegerGrid {
  return { ...codes, symmetric: [...zeroPoints].every((zero) => zero === middleOf(codes.bits)) };
}

function zeroPointOf(place: Place, value: JsonValue, codes: Codes, index?: number): number {
  const [min, max] = codes.signed ? [-middleOf(codes.bits), middleOf(codes.bits) - 1] : [0, 2 ** codes.bits - 1];
  return fromOnnxZeroPoint(wholeNumber(place, 'y_zero_point', value, min, max, index), codes);
}

/** Left out when all are 0, otherwise of the shape of the scales. */
function zeroPointsOf(place: Place, object: JsonObject, shape: readonly number[], codes: Codes): Float64Array {
  const given = object.get('y_zero_point');
  const count = shape.reduce((product, size) => product * size, 1);
  if (given === undefined) return new Float64Array(count).fill(fromOnnxZeroPoint(0, codes));
  const found = flatten(place, 'y_zero_point', given);
  if (found.shape.join() !== shape.join()) throw shapeError(place, 'y_zero_point', `has the shape [${found.shape}], y_scale [${shape}]`);
  return numbersOf(place, 'y_zero_point', found.values, (value, i) => zeroPointOf(place, value, codes, i));
}

function axisOf(place: Place, object: JsonObject): number {
  return wholeNumber(place, 'axis', object.get('axis'), -LARGEST_AXIS - 1, LARGEST_AXIS);
}

function blockSizeOf(place: Place, object: JsonObject): number {
  return wholeNumber(place, 'block_size', object.get('block_size'), 1, LARGEST_BLOCK);
}

interface StoredGrid {
  readonly shape: readonly number[];
  readonly scales: Float64Array;
  readonly zeroPoints: Float64Array;
  readonly codes: Codes;
}

function blocksOf(place: Place, object: JsonObject, { shape, scales, zeroPoints, codes }: StoredGrid, graph: Graph | undefined): TensorEncoding {
  const blockSize = blockSizeOf(place, object);
  const layout = layoutOf(place, 'y_scale', shape, axisOf(place, object));
  expectLayoutInGraph(place, 'y_scale', layout, graph, blockSize);
  return { kind: 'per-block', grid: gridOf(codes, zeroPoints), blockSize, scale: channelFirst(layout, scales), zeroPoint: channelFirst(layout, zeroPoints), layout };
}

/** 2.0.0: integers and channel scales are two fields of one rank. */
function flatLpbq(place: Place, object: JsonObject, codes: Codes, graph: Graph | undefined): TensorEncoding {
  const channels = flatten(place, 'per_channel_float_scale', object.get('per_channel_float_scale'));
  const integers = flatten(place, 'per_block_int_scale', object.get('per_block_int_scale'));
  const channelAxis = channels.shape.findIndex((size) => size !== 1);
  const blockAxis = axisOf(place, object);
  const layout = layoutOf(place, 'per_block_int_scale', integers.shape, blockAxis, channelAxis < 0 ? undefined : channelAxis);
  const expected = integers.shape.map((size, axis) => (axis === layout.channelAxis ? size : 1));
  if (channels.shape.join() !== expected.join()) throw shapeError(place, 'per_channel_float_scale', `has the shape [${channels.shape}], the blocks of shape [${integers.shape}] ask for [${expected}]`);
  const channelScale = scalesOf(place, 'per_channel_float_scale', channels.values);
  return lpbqOf({ place, field: 'per_block_int_scale', codes, layout, integers: integers.values, channelScale, blockSize: blockSizeOf(place, object), graph });
}

/** 2.1.0: y_scale is itself quantized, integers x with one scale along an axis. */
function nestedLpbq(place: Place, object: JsonObject, scale: JsonObject, codes: Codes, graph: Graph | undefined): TensorEncoding {
  const [unknown] = unusedFields(scale, ['x', 'x_scale', 'axis']);
  if (unknown !== undefined) throw fieldError(place, `y_scale.${unknown[0]}`, unknown[1], 'absent: scales of blocks are positive integers with one float scale a channel');
  const inner: Place = { ...place, tensor: `${place.tensor} y_scale` };
  const integers = flatten(place, 'y_scale.x', scale.get('x'));
  const layout = layoutOf(place, 'y_scale.x', integers.shape, axisOf(place, object), axisOf(inner, scale));
  const channelScale = scalesOf(place, 'y_scale.x_scale', listOf(place, 'y_scale.x_scale', scale.get('x_scale')));
  expectLength(place, 'y_scale.x_scale', channelScale.length, layout.shape.at(layout.channelAxis) ?? 0, 'y_scale.x has as many channels');
  return lpbqOf({ place, field: 'y_scale.x', codes, layout, integers: integers.values, channelScale, blockSize: blockSizeOf(place, object), graph });
}

interface LpbqFields {
  readonly place: Place;
  /** Holds the integers. */
  readonly field: string;
  readonly codes: Codes;
  readonly layout: ReturnType<typeof layoutOf>;
  /** In storage order. */
  readonly integers: readonly JsonValue[];
  readonly channelScale: Float64Array;
  readonly blockSize: number;
  readonly graph: Graph | undefined;
}

function lpbqOf({ place, field, codes: { bits, signed }, layout, integers, channelScale, blockSize, graph }: LpbqFields): TensorEncoding {
  if (!signed || bits > 8) throw fieldError(place, 'output_dtype', `${signed ? '' : 'u'}int${bits}`, 'int4 or int8 for blocks with integer scales');
  expectLayoutInGraph(place, field, layout, graph, blockSize);
  const stored = numbersOf(place, field, integers, (value, i) => wholeNumber(place, field, value, 1, 2 ** bits, i));
  return { kind: 'lpbq', bits, decompressedBits: (2 * bits) as Bits, blockSize, channelScale, blockScale: channelFirst(layout, Uint16Array.from(stored)), layout };
}
