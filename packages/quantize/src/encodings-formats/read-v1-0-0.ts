/** Reads encodings 1.0.0: two lists, scales of channels and blocks flattened with the output channels first. */
import type { JsonObject } from '@tundish/checkpoint';
import type { Bits, BlockLayout, EncodingsDocument, EncodingsEntry, IntegerGrid, TensorEncoding } from './document.js';
import { type Place, expectLength, fieldError, listOf, numbersOf, oneOf, scalesOf, shapeError, truth, unusedFields, wholeNumber } from './fields.js';
import { layoutInGraph } from './block-layout.js';
import { middleOf } from './offsets.js';
import { type ReadRequest, type Role, channelAxisIn, expectChannels, namedObjects, zeroPointOfOffset } from './reading.js';

const TABLES = [['activation_encodings', 'activation'], ['param_encodings', 'parameter']] as const;
const INTEGER_FIELDS = ['name', 'enc_type', 'dtype', 'bw', 'is_sym', 'scale', 'offset'];
const LARGEST_BLOCK = 2 ** 31 - 1;

/** @throws ENCODINGS_FIELD, ENCODINGS_SHAPE, ENCODINGS_DUPLICATE */
export function readEncodings100(request: ReadRequest): EncodingsDocument {
  const entries = TABLES.flatMap(([table, role]) => namedObjects(request, table).map(([place, object]) => entryOf(request, place, object, role)));
  return { version: '1.0.0', entries, extra: unusedFields(request.file, ['version', ...TABLES.map(([table]) => table)]) };
}

function entryOf(request: ReadRequest, place: Place, object: JsonObject, role: Role): EncodingsEntry {
  const { encoding, used } = formOf(request, place, object, role);
  return { name: place.tensor ?? '', role, encoding, extra: unusedFields(object, used) };
}

function formOf({ graph }: ReadRequest, place: Place, object: JsonObject, role: Role): { readonly encoding: TensorEncoding; readonly used: readonly string[] } {
  const form = oneOf(place, object, 'enc_type', ['PER_TENSOR', 'PER_CHANNEL', 'PER_BLOCK', 'LPBQ']);
  if (oneOf(place, object, 'dtype', ['INT', 'FLOAT']) === 'FLOAT') {
    if (form !== 'PER_TENSOR') throw fieldError(place, 'enc_type', form, 'PER_TENSOR for dtype FLOAT');
    return { encoding: { kind: 'float', bits: oneOf(place, object, 'bw', [16, 32]) }, used: ['name', 'enc_type', 'dtype', 'bw'] };
  }
  const bits = oneOf(place, object, 'bw', [4, 8, 16, 32]);
  const symmetric = truth(place, object, 'is_sym');
  const scale = scalesOf(place, 'scale', listOf(place, 'scale', object.get('scale')));
  const zeroPoint = numbersOf(place, 'offset', listOf(place, 'offset', object.get('offset')), (value, i) => zeroPointOfOffset(place, 'offset', value, bits, i));
  expectLength(place, 'offset', zeroPoint.length, scale.length, 'one for each scale');
  const grid: IntegerGrid = { bits, symmetric, signed: symmetric && role === 'parameter' };
  if (form === 'PER_TENSOR') {
    expectLength(place, 'scale', scale.length, 1, 'enc_type is PER_TENSOR');
    return { encoding: { kind: 'per-tensor', grid, scale: scale[0] as number, zeroPoint: zeroPoint[0] as number }, used: INTEGER_FIELDS };
  }
  if (form === 'PER_CHANNEL') {
    expectChannels(place, 'scale', scale.length, graph);
    return { encoding: { kind: 'per-channel', grid, scale, zeroPoint, axis: channelAxisIn(graph, place.tensor ?? '') }, used: INTEGER_FIELDS };
  }
  const blockSize = wholeNumber(place, 'block_size', object.get('block_size'), 1, LARGEST_BLOCK);
  const layout = layoutInGraph(place, graph, blockSize);
  if (form === 'PER_BLOCK') {
    expectBlocks(place, 'scale', scale.length, layout);
    return { encoding: { kind: 'per-block', grid, blockSize, scale, zeroPoint, layout }, used: [...INTEGER_FIELDS, 'block_size'] };
  }
  return { encoding: lpbqOf({ place, object, bits, symmetric, blockSize, layout, channelScale: scale, zeroPoint }), used: [...INTEGER_FIELDS, 'block_size', 'compressed_bw', 'per_block_int_scale'] };
}

function expectBlocks(place: Place, field: string, found: number, layout: BlockLayout | undefined): void {
  const expected = layout?.shape.reduce((count, size) => count * size, 1);
  if (expected !== undefined) expectLength(place, field, found, expected, `the graph has blocks of shape [${layout?.shape}]`);
}

interface LpbqFields {
  readonly place: Place;
  readonly object: JsonObject;
  /** Width after decompression. */
  readonly bits: Bits;
  readonly symmetric: boolean;
  readonly blockSize: number;
  readonly layout: BlockLayout | undefined;
  readonly channelScale: Float64Array;
  readonly zeroPoint: Float64Array;
}

function lpbqOf({ place, object, bits, symmetric, blockSize, layout, channelScale, zeroPoint }: LpbqFields): TensorEncoding {
  const compressed = oneOf(place, object, 'compressed_bw', [4, 8]);
  if (compressed >= bits) throw fieldError(place, 'compressed_bw', compressed, `below bw, which is ${bits}`);
  if (bits > 16) throw fieldError(place, 'bw', bits, '8 or 16 for enc_type LPBQ');
  if (!symmetric) throw fieldError(place, 'is_sym', symmetric, 'true for enc_type LPBQ');
  const uneven = zeroPoint.findIndex((zero) => zero !== middleOf(bits));
  if (uneven >= 0) throw fieldError(place, `offset[${uneven}]`, 0 - (zeroPoint[uneven] as number), `${-middleOf(bits)} for enc_type LPBQ`);
  const list = listOf(place, 'per_block_int_scale', object.get('per_block_int_scale'));
  const blockScale = numbersOf(place, 'per_block_int_scale', list, (value, i) => wholeNumber(place, 'per_block_int_scale', value, 1, 2 ** (bits - compressed), i));
  if (blockScale.length % channelScale.length !== 0) throw shapeError(place, 'per_block_int_scale', `has ${blockScale.length} values, which ${channelScale.length} channels cannot share evenly`);
  expectBlocks(place, 'per_block_int_scale', blockScale.length, layout);
  if (layout !== undefined) expectLength(place, 'scale', channelScale.length, layout.shape[layout.channelAxis] ?? 0, 'one for each output channel');
  return { kind: 'lpbq', bits: compressed, decompressedBits: bits, blockSize, channelScale, blockScale: Uint16Array.from(blockScale), layout };
}
