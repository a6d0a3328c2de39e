/** Reads fields of an encodings file strictly: what is missing, of another type or out of range is an error with tensor and field. */
import { type JsonObject, type JsonValue, describeJson, isJsonObject } from '@tundish/checkpoint';
import { type TundishError, printable } from '@tundish/diagnostics';
import { quantizeError } from '../errors.js';

/** Where a field stands. */
export interface Place {
  /** Undefined for the fields of the file itself. */
  readonly tensor?: string;
  readonly path?: string;
}

/** @returns an ENCODINGS_FIELD */
export function fieldError(place: Place, field: string, value: JsonValue | undefined, expected: string): TundishError {
  return quantizeError('ENCODINGS_FIELD', { what: `${nameOf(place)}: ${printable(field)} must be ${expected}, found ${printable(describeJson(value))}`, ...evidenceOf(place) });
}

/** @returns an ENCODINGS_SHAPE */
export function shapeError(place: Place, field: string, what: string): TundishError {
  return quantizeError('ENCODINGS_SHAPE', { what: `${nameOf(place)}: ${field} ${what}`, ...evidenceOf(place) });
}

function nameOf({ tensor }: Place): string {
  return tensor === undefined ? 'the file' : printable(tensor);
}

function evidenceOf({ path }: Place): { evidence?: { path: string } } {
  return path === undefined ? {} : { evidence: { path } };
}

export function objectOf(place: Place, field: string, value: JsonValue | undefined): JsonObject {
  if (!isJsonObject(value)) throw fieldError(place, field, value, 'an object');
  return value;
}

export function listOf(place: Place, field: string, value: JsonValue | undefined): readonly JsonValue[] {
  if (!Array.isArray(value)) throw fieldError(place, field, value, 'a list');
  return value as readonly JsonValue[];
}

export function nonEmptyString(place: Place, object: JsonObject, field: string): string {
  const value = object.get(field);
  if (typeof value !== 'string' || value === '') throw fieldError(place, field, value, 'a text');
  return value;
}

export function truth(place: Place, object: JsonObject, field: string): boolean {
  const value = object.get(field);
  if (typeof value !== 'boolean') throw fieldError(place, field, value, 'true or false');
  return value;
}

export function oneOf<const T extends string | number>(place: Place, object: JsonObject, field: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === object.get(field));
  if (found === undefined) throw fieldError(place, field, object.get(field), `one of ${choices.join(', ')}`);
  return found;
}

/** A whole number from `min` to `max`, at `index` of a list if one is given; AIMET writes some of them as 128.0. */
export function wholeNumber(place: Place, field: string, value: JsonValue | undefined, min: number, max: number, index?: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) throw fieldError(place, at(field, index), value, `a whole number from ${min} to ${max}`);
  return value + 0;
}

/** @param index in a list, if the value is of one */
export function positiveScale(place: Place, field: string, value: JsonValue | undefined, index?: number): number {
  if (typeof value !== 'number' || !(value > 0)) throw fieldError(place, at(field, index), value, 'a number above 0');
  return value;
}

function at(field: string, index: number | undefined): string {
  return index === undefined ? field : `${field}[${index}]`;
}

/** Every value of a list through `read`, as numbers. */
export function numbersOf(place: Place, field: string, list: readonly JsonValue[], read: (value: JsonValue, index: number) => number): Float64Array {
  if (list.length === 0) throw shapeError(place, field, 'is empty');
  const numbers = new Float64Array(list.length);
  for (let i = 0; i < numbers.length; i++) numbers[i] = read(list[i] as JsonValue, i);
  return numbers;
}

export function scalesOf(place: Place, field: string, list: readonly JsonValue[]): Float64Array {
  return numbersOf(place, field, list, (scale, i) => positiveScale(place, field, scale, i));
}

export function expectLength(place: Place, field: string, found: number, expected: number, because: string): void {
  if (found !== expected) throw shapeError(place, field, `has ${found} values, ${expected} expected: ${because}`);
}

/** The fields that are not among `known`. */
export function unusedFields(object: JsonObject, known: Iterable<string>): JsonObject {
  const used = new Set(known);
  return new Map([...object].filter(([field]) => !used.has(field)));
}
