/** Reads encodings 0.6.1: two objects by name, a list of channels each, booleans as the texts "True" and "False". */
import { type JsonObject, type JsonValue, isJsonObject } from '@tundish/checkpoint';
import type { EncodingsDocument, EncodingsEntry, TensorEncoding } from './document.js';
import { type Place, fieldError, listOf, objectOf, oneOf, positiveScale, shapeError, unusedFields } from './fields.js';
import { type ReadRequest, type Role, channelAxisIn, expectChannels, placeOf, zeroPointOfOffset } from './reading.js';

const TABLES = [['activation_encodings', 'activation'], ['param_encodings', 'parameter']] as const;
const SHARED = ['bitwidth', 'dtype'] as const;
const INTEGER_FIELDS = [...SHARED, 'is_symmetric', 'offset', 'scale'];

/**
 * A list of one is an encoding of the whole tensor, a longer one has one for each channel. `min` and `max` follow from
 * scale and offset and are kept as they are.
 *
 * @throws ENCODINGS_FIELD, ENCODINGS_SHAPE
 */
export function readEncodings061(request: ReadRequest): EncodingsDocument {
  const { file, path } = request;
  const entries = TABLES.flatMap(([table, role]) => [...objectOf(placeOf(path), table, file.get(table))].map(([name, value]) => entryOf(request, placeOf(path, name), value, role)));
  return { version: '0.6.1', entries, extra: unusedFields(file, ['version', ...TABLES.map(([table]) => table)]) };
}

function entryOf(request: ReadRequest, place: Place, value: JsonValue, role: Role): EncodingsEntry {
  const list = listOf(place, 'encoding', value);
  const channels = list.map((channel, i) => objectOf(place, `encoding[${i}]`, channel));
  const [first] = channels;
  if (first === undefined) throw shapeError(place, 'encoding', 'has no channel');
  const isFloat = oneOf(place, first, 'dtype', ['int', 'float']) === 'float';
  for (const field of isFloat ? SHARED : ([...SHARED, 'is_symmetric'] as const)) {
    const other = channels.findIndex((channel) => channel.get(field) !== first.get(field));
    if (other >= 0) throw fieldError(place, `encoding[${other}].${field}`, channels[other]?.get(field), 'that of the first channel');
  }
  const encoding = isFloat ? floatOf(place, channels, first) : integerOf(request, place, channels, first, role);
  return { name: place.tensor ?? '', role, encoding, extra: extraOf(place, channels, isFloat ? SHARED : INTEGER_FIELDS) };
}

function floatOf(place: Place, channels: readonly JsonObject[], first: JsonObject): TensorEncoding {
  if (channels.length !== 1) throw shapeError(place, 'encoding', `has ${channels.length} channels of dtype float`);
  return { kind: 'float', bits: oneOf(place, first, 'bitwidth', [16, 32]) };
}

function integerOf({ graph }: ReadRequest, place: Place, channels: readonly JsonObject[], first: JsonObject, role: Role): TensorEncoding {
  const bits = oneOf(place, first, 'bitwidth', [4, 8, 16, 32]);
  const symmetric = oneOf(place, first, 'is_symmetric', ['True', 'False']) === 'True';
  const scale = Float64Array.from(channels, (channel, i) => positiveScale(place, `encoding[${i}].scale`, channel.get('scale')));
  const zeroPoint = Float64Array.from(channels, (channel, i) => zeroPointOfOffset(place, `encoding[${i}].offset`, channel.get('offset'), bits));
  const grid = { bits, symmetric, signed: symmetric && role === 'parameter' };
  if (channels.length === 1) return { kind: 'per-tensor', grid, scale: scale[0] as number, zeroPoint: zeroPoint[0] as number };
  expectChannels(place, 'encoding', channels.length, graph);
  return { kind: 'per-channel', grid, scale, zeroPoint, axis: channelAxisIn(graph, place.tensor ?? '') };
}

/** Each unused field as the list of its values, which every channel must have. */
function extraOf(place: Place, channels: readonly JsonObject[], known: readonly string[]): JsonObject {
  const fields = [...unusedFields(channels[0] as JsonObject, known).keys()];
  channels.forEach((channel, i) => {
    if (unusedFields(channel, known).size !== fields.length) throw shapeError(place, `encoding[${i}]`, 'has other fields than the first channel');
  });
  return new Map(fields.map((field) => [field, channels.map((channel, i) => {
    const value = channel.get(field);
    if (value === undefined || isJsonObject(value)) throw fieldError(place, `encoding[${i}].${field}`, value, 'a value, as in the first channel');
    return value;
  })]));
}
