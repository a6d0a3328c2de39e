/** A strict JSON reader: duplicate keys, depth and Python's NaN are faults with a position, objects are Maps. */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A Map, so that a key `__proto__` is a key like any other. */
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** Why a text is not strict JSON, and where. */
export interface JsonFault {
  readonly kind: 'syntax' | 'duplicate-key';
  readonly message: string;
  /** Keys that lead to the object concerned; the duplicate key itself is `key`. */
  readonly parents: readonly string[];
  readonly key?: string;
  /** Index into the text in UTF-16 units; line and column are 1-based. */
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/** Deeper nesting than any config or header has; far below what the stack holds. */
const MAX_DEPTH = 64;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WHITESPACE = /[ \t\n\r]*/y;
const PLAIN_CHARACTERS = /[^"\\\u0000-\u001f]*/y; // eslint-disable-line no-control-regex
const FOUR_HEX_DIGITS = /[0-9a-fA-F]{4}/y;
const WORD = /[A-Za-z_$-][\w$-]{0,15}/y;
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** Parses RFC 8259 JSON and nothing more. */
export function parseStrictJson(text: string): { readonly value: JsonValue } | { readonly fault: JsonFault } {
  const reader = new JsonReader(text);
  try {
    return { value: reader.document() };
  } catch (error) {
    if (error instanceof Fault) return { fault: describe(text, error) };
    throw error;
  }
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}

/** `an object`, `a list`, `"text"`: how messages name a value of the wrong type. */
export function describeJson(value: JsonValue | undefined): string {
  if (value === undefined) return 'missing';
  if (isJsonObject(value)) return 'an object';
  if (Array.isArray(value)) return 'a list';
  const shown = JSON.stringify(value);
  return shown.length <= 60 ? shown : `${shown.slice(0, 60)}…`;
}

/** Unwinds the reader; never leaves this file. */
class Fault extends Error {
  constructor(
    readonly kind: JsonFault['kind'],
    message: string,
    readonly offset: number,
    readonly parents: readonly string[],
    readonly key?: string,
  ) {
    super(message);
  }
}

function describe(text: string, fault: Fault): JsonFault {
  const before = text.slice(0, fault.offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = before.split('\n').length;
  const place = { offset: fault.offset, line, column: fault.offset - lineStart + 1 };
  return { kind: fault.kind, message: fault.message, parents: fault.parents, ...place, ...(fault.key === undefined ? {} : { key: fault.key }) };
}

class JsonReader {
  private at = 0;
  private readonly parents: string[] = [];

  constructor(private readonly text: string) {}

  document(): JsonValue {
    const value = this.value(0);
    this.match(WHITESPACE);
    if (this.at < this.text.length) this.fail(`unexpected ${this.found()} after the end`);
    return value;
  }

  private value(depth: number): JsonValue {
    this.match(WHITESPACE);
    const c = this.text[this.at];
    if (c === '{' || c === '[') {
      if (depth >= MAX_DEPTH) this.fail(`nested deeper than ${MAX_DEPTH} levels`);
      return c === '{' ? this.object(depth + 1) : this.list(depth + 1);
    }
    if (c === '"') return this.string();
    if (c === '-' || (c !== undefined && c >= '0' && c <= '9')) return this.number();
    return this.literal();
  }

  private object(depth: number): JsonObject {
    const object = new Map<string, JsonValue>();
    this.at += 1;
    this.match(WHITESPACE);
    if (this.take('}')) return object;
    for (;;) {
      this.match(WHITESPACE);
      const start = this.at;
      if (this.text[start] !== '"') this.fail(`a key in double quotes was expected, ${this.found()} found`);
      const key = this.string();
      if (object.has(key)) throw new Fault('duplicate-key', `duplicate key ${JSON.stringify(key)}`, start, [...this.parents], key);
      this.match(WHITESPACE);
      if (!this.take(':')) this.fail(`":" was expected, ${this.found()} found`);
      this.parents.push(key);
      object.set(key, this.value(depth));
      this.parents.pop();
      this.match(WHITESPACE);
      if (this.take('}')) return object;
      if (!this.take(',')) this.fail(`"," or "}" was expected, ${this.found()} found`);
    }
  }

  private list(depth: number): readonly JsonValue[] {
    const list: JsonValue[] = [];
    this.at += 1;
    this.match(WHITESPACE);
    if (this.take(']')) return list;
    for (;;) {
      list.push(this.value(depth));
      this.match(WHITESPACE);
      if (this.take(']')) return list;
      if (!this.take(',')) this.fail(`"," or "]" was expected, ${this.found()} found`);
    }
  }

  private string(): string {
    this.at += 1;
    let result = '';
    for (;;) {
      result += this.match(PLAIN_CHARACTERS) ?? '';
      const c = this.text[this.at];
      if (c === '"') {
        this.at += 1;
        return result;
      }
      if (c !== '\\') this.fail(c === undefined ? 'a string is not closed' : 'a control character stands in a string');
      this.at += 1;
      result += this.escape();
    }
  }

  private escape(): string {
    const c = this.text[this.at] ?? '';
    this.at += 1;
    if (c === 'u') {
      const digits = this.match(FOUR_HEX_DIGITS);
      if (digits === undefined) this.fail('\\u needs four hexadecimal digits');
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const meaning = Object.hasOwn(ESCAPES, c) ? ESCAPES[c] : undefined;
    if (meaning === undefined) this.fail('unknown escape in a string');
    return meaning;
  }

  private number(): number {
    const start = this.at;
    const digits = this.match(NUMBER);
    if (digits === undefined) return this.literal() as never;
    const value = Number(digits);
    if (!Number.isFinite(value)) {
      this.at = start;
      this.fail(`number ${digits.slice(0, 20)} is too large`);
    }
    return value;
  }

  private literal(): null | boolean {
    const word = this.peek(WORD);
    for (const [name, value] of [['null', null], ['true', true], ['false', false]] as const) {
      if (word === name) {
        this.at += name.length;
        return value;
      }
    }
    const python = word !== undefined && /^-?(NaN|Infinity)$/.test(word);
    return this.fail(python ? `${word} is not JSON (Python writes it, the standard forbids it)` : `a value was expected, ${this.found()} found`);
  }

  private match(pattern: RegExp): string | undefined {
    const found = this.peek(pattern);
    if (found !== undefined) this.at += found.length;
    return found;
  }

  private peek(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    return pattern.exec(this.text)?.[0];
  }

  private take(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  private found(): string {
    const c = this.text[this.at];
    return c === undefined ? 'the end' : JSON.stringify(c);
  }

  private fail(message: string): never {
    throw new Fault('syntax', message, this.at, [...this.parents]);
  }
}
