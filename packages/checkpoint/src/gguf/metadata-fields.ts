/** Typed access to the metadata of a GGUF file; every complaint names the key and the file. */
import { printable } from '@tundish/diagnostics';
import { fault } from '../errors.js';
import type { GgufHeader } from './read-header.js';
import type { GgufScalar, GgufScalarType } from './metadata-values.js';

const INTEGERS: readonly GgufScalarType[] = ['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'u64', 'i64'];
const FLOATS: readonly GgufScalarType[] = ['f32', 'f64'];

export class MetadataFields {
  constructor(private readonly header: Pick<GgufHeader, 'path' | 'metadata'>) {}

  has(key: string): boolean {
    return this.header.metadata.has(key);
  }

  isList(key: string): boolean {
    return this.header.metadata.get(key)?.type === 'array';
  }

  text(key: string): string | undefined {
    return this.scalar(key, ['string'], 'a string') as string | undefined;
  }

  flag(key: string, fallback: boolean): boolean {
    return (this.scalar(key, ['bool'], 'a bool') as boolean | undefined) ?? fallback;
  }

  /** A token id or another integer from 0 on; undefined when the key is absent. */
  natural(key: string): number | undefined {
    const value = this.scalar(key, INTEGERS, 'an integer');
    if (value === undefined) return undefined;
    if (typeof value === 'number' && value >= 0) return value;
    throw this.invalid(key, `must not be negative or 2^53 and more, found ${String(value)}`);
  }

  /** @throws TundishError GGUF_METADATA_INVALID when it is absent and has no fallback, or is 0 */
  positive(key: string, fallback?: number): number {
    const value = this.natural(key) ?? fallback;
    if (value === undefined) throw this.invalid(key, 'is missing');
    if (value === 0) throw this.invalid(key, 'must be positive, found 0');
    return value;
  }

  /** A finite number; float32 values come as the shortest decimal that stands for them, so 1e-5 is 0.00001. */
  float(key: string): number | undefined {
    const value = this.scalar(key, [...FLOATS, ...INTEGERS], 'a number');
    if (value === undefined) return undefined;
    if (!Number.isFinite(Number(value))) throw this.invalid(key, `must be finite, found ${String(value)}`);
    return this.header.metadata.get(key)?.type === 'f32' ? shortestDecimal(Number(value)) : Number(value);
  }

  texts(key: string): readonly string[] | undefined {
    return this.list(key, ['string'], 'strings') as readonly string[] | undefined;
  }

  integers(key: string): readonly number[] | undefined {
    const list = this.list(key, INTEGERS, 'integers');
    if (list?.every((item) => typeof item === 'number') === false) throw this.invalid(key, 'has an integer of 2^53 or more');
    return list as readonly number[] | undefined;
  }

  floats(key: string): readonly number[] | undefined {
    const list = this.list(key, FLOATS, 'floats') as readonly number[] | undefined;
    if (list?.every(Number.isFinite) === false) throw this.invalid(key, 'has a value that is not finite');
    return list;
  }

  invalid(key: string, complaint: string): Error {
    return fault('GGUF_METADATA_INVALID', {
      what: `${this.header.path}: ${printable(key)} ${complaint}`,
      evidence: { path: this.header.path, detail: `key ${printable(key)}` },
      fix: 'Convert the model again with a current llama.cpp, or take the file from its source again.',
    });
  }

  private scalar(key: string, types: readonly GgufScalarType[], must: string): GgufScalar | undefined {
    const entry = this.header.metadata.get(key);
    if (entry === undefined) return undefined;
    if (entry.type !== 'array' && types.includes(entry.type)) return entry.value;
    throw this.invalid(key, `must be ${must}, found ${entry.type}`);
  }

  private list(key: string, types: readonly GgufScalarType[], must: string): readonly GgufScalar[] | undefined {
    const entry = this.header.metadata.get(key);
    if (entry === undefined) return undefined;
    if (entry.type === 'array' && types.includes(entry.elementType)) return entry.value;
    throw this.invalid(key, `must be a list of ${must}, found ${entry.type === 'array' ? `a list of ${entry.elementType}` : entry.type}`);
  }
}

function shortestDecimal(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const decimal = Number(value.toPrecision(digits));
    if (Math.fround(decimal) === value) return decimal;
  }
  return value;
}
