/** Typed access to the fields of a configuration object; every complaint names the field and the file. */
import { basename } from 'node:path';
import { printable } from '@tundish/diagnostics';
import { fault } from './errors.js';
import { describeJson, isJsonObject } from './strict-json.js';
import type { JsonObject, JsonValue } from './strict-json.js';

/** Which numbers a field takes. */
export interface NumberRule {
  /** Used when the field is absent or null; without it the field is required. */
  readonly fallback?: number;
  /** `positive integer`, `>= 0`: shown in the message. */
  readonly must: string;
  readonly holds: (value: number) => boolean;
}

const isPositiveInteger = (value: number): boolean => Number.isSafeInteger(value) && value > 0;

/** One object of a configuration file. */
export class ConfigFields {
  /** @param prefix path of this object inside the file, for example `rope_scaling.` */
  constructor(
    readonly path: string,
    private readonly object: JsonObject,
    private readonly prefix = '',
  ) {}

  /** The raw value; null counts as absent, as Python writes None for it. */
  get(key: string): JsonValue | undefined {
    return this.object.get(key) ?? undefined;
  }

  positiveInteger(key: string, fallback?: number): number {
    return this.number(key, { must: 'a positive integer', holds: isPositiveInteger, ...(fallback === undefined ? {} : { fallback }) });
  }

  number(key: string, rule: NumberRule): number {
    const value = this.get(key);
    if (value === undefined && rule.fallback !== undefined) return rule.fallback;
    if (value === undefined) throw this.invalid(key, 'is missing');
    if (typeof value !== 'number') throw this.invalid(key, `must be a number, found ${printable(describeJson(value))}`);
    if (!rule.holds(value)) throw this.invalid(key, `must be ${rule.must}, found ${value}`);
    return value;
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.get(key);
    if (value === undefined) return fallback;
    if (typeof value !== 'boolean') throw this.invalid(key, `must be true or false, found ${printable(describeJson(value))}`);
    return value;
  }

  text(key: string): string | undefined {
    const value = this.get(key);
    if (value === undefined || typeof value === 'string') return value;
    throw this.invalid(key, `must be a string, found ${printable(describeJson(value))}`);
  }

  /** A field that may hold one token id or a list of them. */
  tokenIds(key: string): readonly number[] {
    const value = this.get(key);
    const items: readonly JsonValue[] = value === undefined ? [] : Array.isArray(value) ? value : [value];
    return items.map((item) => {
      if (typeof item === 'number' && Number.isSafeInteger(item) && item >= 0) return item;
      throw this.invalid(key, `must be a token id or a list of them, found ${printable(describeJson(item))}`);
    });
  }

  section(key: string): ConfigFields | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    if (!isJsonObject(value)) throw this.invalid(key, `must be an object, found ${printable(describeJson(value))}`);
    return new ConfigFields(this.path, value, `${this.prefix}${key}.`);
  }

  invalid(key: string, complaint: string, fix = `Correct ${key} in ${basename(this.path)}, or download the file again.`): Error {
    return fault('CONFIG_FIELD_INVALID', {
      what: `${this.prefix}${key} ${complaint}`,
      evidence: { path: this.path, detail: `field ${this.prefix}${key}` },
      fix,
    });
  }
}
