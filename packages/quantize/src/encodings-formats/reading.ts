/** What the readers of all versions share: the tables of a file, and grids of one value or many. */
import type { JsonObject, JsonValue } from '@tundish/checkpoint';
import { printable } from '@tundish/diagnostics';
import type { Graph } from '@tundish/graph';
import { quantizeError } from '../errors.js';
import { axisFromFront } from './block-layout.js';
import type { Bits, EncodingsEntry } from './document.js';
import { type Place, listOf, nonEmptyString, objectOf, shapeError, wholeNumber } from './fields.js';
import { fromOffset } from './offsets.js';
import { weightAxes } from './weight-axes.js';

export interface ReadRequest {
  /** The parsed file. */
  readonly file: JsonObject;
  /** Named in errors. */
  readonly path?: string;
  /** Says which axis of a weight holds its channels, and which names are parameters. */
  readonly graph?: Graph;
}

export type Role = NonNullable<EncodingsEntry['role']>;

/** The objects of a table by name, in its order. @throws ENCODINGS_FIELD, ENCODINGS_DUPLICATE */
export function namedObjects({ file, path }: ReadRequest, table: string): readonly (readonly [Place, JsonObject])[] {
  const seen = new Set<string>();
  return listOf(placeOf(path), table, file.get(table)).map((value, i) => {
    const object = objectOf(placeOf(path), `${table}[${i}]`, value);
    const tensor = nonEmptyString(placeOf(path, `${table}[${i}]`), object, 'name');
    if (seen.has(tensor)) {
      throw quantizeError('ENCODINGS_DUPLICATE', { what: `${printable(tensor)} is named twice in ${table}`, why: 'only one of the two encodings could count', ...(path === undefined ? {} : { evidence: { path } }) });
    }
    seen.add(tensor);
    return [placeOf(path, tensor), object];
  });
}

export function placeOf(path: string | undefined, tensor?: string): Place {
  return { ...(tensor === undefined ? {} : { tensor }), ...(path === undefined ? {} : { path }) };
}

/** Offset of 0.6.1 and 1.0.0 as a zero point. */
export function zeroPointOfOffset(place: Place, field: string, value: JsonValue | undefined, bits: Bits, index?: number): number {
  return fromOffset(wholeNumber(place, field, value, 1 - 2 ** bits, 0, index));
}

/** A graph knows how many channels its weights have, and along which axis. @throws ENCODINGS_SHAPE */
export function expectChannels(place: Place, field: string, found: number, graph: Graph | undefined, axis?: number): void {
  const axes = graph === undefined ? undefined : weightAxes(graph, place.tensor ?? '');
  const expected = axes?.dims[axes.channel];
  if (axes !== undefined && expected !== found) throw shapeError(place, field, `has ${found} channels, the tensor of shape [${axes.dims}] has ${expected}`);
  if (axes !== undefined && axis !== undefined && axisFromFront(axis, axes.dims.length) !== axes.channel) throw shapeError(place, 'axis', `is ${axis}, the channels of the tensor of shape [${axes.dims}] are axis ${axes.channel}`);
}

/** The channel axis of a weight of the graph. */
export function channelAxisIn(graph: Graph | undefined, tensor: string): number | undefined {
  return graph === undefined ? undefined : weightAxes(graph, tensor)?.channel;
}
