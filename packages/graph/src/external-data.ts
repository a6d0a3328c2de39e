/** External data of tensors: the key-value form in ONNX, the rules for locations, and checks against real files. */
import { realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { printable } from '@tundish/diagnostics';
import { type DataType, dataTypeName } from './data-type.js';
import { graphError } from './errors.js';
import type { Model } from './graph.js';
import type { Value } from './node.js';
import { type StringStringEntryProto, StringStringEntryProtoSchema } from './onnx_pb.js';
import type { ExternalTensor } from './tensor.js';

/** What a TensorProto says about itself beside its external data. */
export interface ExternalHead {
  readonly name: string;
  readonly dtype: DataType;
  readonly dims: readonly number[];
  /** Bytes that dtype and dims ask for. */
  readonly expected: number;
}

/** Entries in the order in which ONNX documents them, lengths always written. */
export function encodeExternal(tensor: ExternalTensor): StringStringEntryProto[] {
  assertLocation(tensor.location, tensor.location);
  const entries = { location: tensor.location, offset: String(tensor.offset), length: String(tensor.length) };
  return Object.entries(entries).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value }));
}

/** @throws ONNX_EXTERNAL_DATA */
export function decodeExternal(entries: readonly StringStringEntryProto[], head: ExternalHead): ExternalTensor {
  const { name, dtype, dims, expected } = head;
  const fields = new Map(entries.map(({ key, value }) => [key, value]));
  const location = fields.get('location');
  if (location === undefined || location === '') throw refused(name, `${name}: external without location`);
  assertLocation(location, name);
  const offset = byteNumber(fields.get('offset') ?? '0', 'offset', name);
  const length = byteNumber(fields.get('length') ?? String(expected), 'length', name);
  if (length !== expected) throw refused(name, `${name}: ${dataTypeName(dtype)} [${dims}] is ${expected} bytes, length says ${length}`);
  return { kind: 'external', dtype, dims, location, offset, length };
}

/** A location is a relative path that stays below the model's folder on every platform. @throws ONNX_EXTERNAL_DATA */
function assertLocation(location: string, name: string): void {
  const steps = location.split(/[/\\]/);
  const leaves = isAbsolute(location) || /^[A-Za-z]:/.test(location) || location.includes('\0') || steps[0] === '' || steps.includes('..');
  if (!leaves) return;
  throw graphError('ONNX_EXTERNAL_DATA', {
    what: `${printable(name)}: external data leaves the folder of the model: ${printable(location)}`,
    why: 'a location is a relative path without `..`; it was refused before anything was opened',
    evidence: { detail: `location ${printable(location)}` },
    fix: 'save the model again with its data beside it',
  });
}

function byteNumber(text: string, field: string, name: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw refused(name, `${name}: ${field} must be a non-negative integer, got ${printable(text, 40)}`);
}

/**
 * Holds every external tensor against the files in `folder`.
 *
 * @throws ONNX_EXTERNAL_DATA for a file that is missing, outside of the folder through a link, or too short
 */
export function checkExternalFiles(model: Model, folder: string): void {
  const sizes = new Map<string, number>();
  for (const value of externalValues(model)) {
    const { location, offset, length } = value.tensor;
    const name = printable(value.name);
    const size = sizes.get(location) ?? fileSize(folder, location, name);
    sizes.set(location, size);
    if (offset + length > size) {
      throw graphError('ONNX_EXTERNAL_DATA', {
        what: `${name}: bytes ${offset}..${offset + length} of ${printable(location)}, which has ${size}`,
        why: 'the data file was cut, or belongs to another model',
        evidence: { path: join(folder, location), offset },
        fix: 'restore the data file that was saved with this model',
      });
    }
  }
}

function fileSize(folder: string, location: string, name: string): number {
  const path = join(folder, location);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || !stats.isFile()) {
    throw graphError('ONNX_EXTERNAL_DATA', {
      what: `${name}: external file ${printable(location)} not found`,
      why: stats === undefined ? 'there is no such file beside the model' : 'it is not a regular file',
      evidence: { path },
      fix: 'put the data file that was saved with this model beside it',
    });
  }
  const inside = relative(realpathSync(folder), realpathSync(path));
  if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
    throw graphError('ONNX_EXTERNAL_DATA', {
      what: `${name}: external data leaves the folder of the model through a link: ${printable(location)}`,
      why: 'a model may read only what lies beside it',
      evidence: { path },
      fix: 'replace the link by the file it points to',
    });
  }
  return stats.size;
}

type ExternalValue = Value & { readonly tensor: ExternalTensor };

function externalValues(model: Model): ExternalValue[] {
  return model.graph.initializers.filter((value): value is ExternalValue => value.tensor?.kind === 'external');
}

/** Logical file names that the initializers of a model refer to, sorted. */
export function externalLocations(model: Model): string[] {
  return [...new Set(externalValues(model).map((value) => value.tensor.location))].sort();
}

/** Renames logical files in place; locations that `map` does not name stay. Offsets do not change. */
export function rewriteLocations(model: Model, map: ReadonlyMap<string, string>): void {
  for (const value of externalValues(model)) {
    const location = map.get(value.tensor.location);
    if (location !== undefined) (value as Value).tensor = { ...value.tensor, location };
  }
}

function refused(name: string, what: string): Error {
  return graphError('ONNX_EXTERNAL_DATA', { what, why: 'external data is a location with an offset and the length of the tensor', evidence: { detail: `tensor ${name}` }, fix: 'export the model again' });
}
