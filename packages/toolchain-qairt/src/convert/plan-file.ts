/** The form in which convert keeps a plan: JSON, with arrays of numbers as base64 of their bytes, little-endian. */
import { printable } from '@tundish/diagnostics';
import type { QnnGraphPlan } from '../compose/plan.js';
import { qairtError } from '../libraries/errors.js';

/** Version of the form. */
const PLAN_SCHEMA = 1;

const ARRAYS = { Uint8Array, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array, Float32Array } as const;

type ArrayName = keyof typeof ARRAYS;
type NumberArray = InstanceType<(typeof ARRAYS)[ArrayName]>;

/** Equal plans give equal bytes. */
export function encodePlan(plan: QnnGraphPlan): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ schema: PLAN_SCHEMA, plan }, (_key, value: unknown) => (ArrayBuffer.isView(value) ? encodeArray(value as NumberArray) : value)));
}

/** @throws QAIRT_PLAN for bytes that `encodePlan` did not write */
export function decodePlan(bytes: Uint8Array, path: string): QnnGraphPlan {
  let file: { readonly schema?: unknown; readonly plan?: QnnGraphPlan } | null;
  try {
    file = JSON.parse(new TextDecoder().decode(bytes), (_key, value: unknown) => (isEncodedArray(value) ? decodeArray(value) : value)) as typeof file;
  } catch (cause) {
    throw qairtError('QAIRT_PLAN', { what: `${printable(path)} is not a plan of a graph`, evidence: { path }, fix: 'convert the graph again', cause });
  }
  if (file?.schema === PLAN_SCHEMA && file.plan !== undefined) return file.plan;
  throw qairtError('QAIRT_PLAN', { what: `${printable(path)} was written by another version`, evidence: { path }, fix: 'convert the graph again' });
}

interface EncodedArray {
  readonly array: ArrayName;
  readonly base64: string;
}

function encodeArray(array: NumberArray): EncodedArray {
  return { array: array.constructor.name as ArrayName, base64: Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64') };
}

function isEncodedArray(value: unknown): value is EncodedArray {
  if (typeof value !== 'object' || value === null) return false;
  const { array, base64 } = value as Partial<EncodedArray>;
  return typeof base64 === 'string' && typeof array === 'string' && Object.hasOwn(ARRAYS, array);
}

/** In memory of its own, which begins where the widest element may. */
function decodeArray({ array, base64 }: EncodedArray): NumberArray {
  const { buffer } = Uint8Array.from(Buffer.from(base64, 'base64'));
  return new ARRAYS[array](buffer);
}
