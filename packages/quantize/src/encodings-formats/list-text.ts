/** JSON text of lists of numbers. A model of 1 B parameters has 30 million block scales, so digits go to bytes without a JavaScript list in between. */

export type Numbers = Uint8Array | Uint16Array | Float32Array | Float64Array;

/** Numbers in row-major order, nested in the text. */
export interface NestedNumbers {
  readonly shape: readonly number[];
  readonly values: Numbers;
}

const [COMMA = 0, OPEN = 0, CLOSE = 0, ZERO = 0] = Buffer.from(',[]0');

let table: Uint8Array | undefined;

/** Of each number below 1000 its digits in three bytes, filled with zeros behind, and how many they are; made for the first list. */
function digitTable(): Uint8Array {
  table ??= Uint8Array.from(Array.from({ length: 1000 }, (_, value) => [...Buffer.from(String(value).padEnd(3, '0')), String(value).length]).flat());
  return table;
}

/** What JSON.stringify makes of the nested list. */
export function listText({ shape, values }: NestedNumbers): string {
  return values instanceof Uint8Array || values instanceof Uint16Array ? integersText(shape, values) : JSON.stringify(nest(shape, Array.from(values)));
}

function nest(shape: readonly number[], values: readonly number[]): readonly unknown[] {
  return shape.slice(1).reduceRight<readonly unknown[]>((rows, size, axis) => Array.from({ length: countOf(shape.slice(0, axis + 1)) }, (_, i) => rows.slice(i * size, (i + 1) * size)), values);
}

function integersText(shape: readonly number[], values: Uint8Array | Uint16Array): string {
  const lists = shape.reduce((sum, _, axis) => sum + countOf(shape.slice(0, axis)), 0);
  // Three digits hold one byte and five hold two; a comma follows a value, and a list with its brackets.
  const bytes = Buffer.allocUnsafe(values.length * (2 * values.BYTES_PER_ELEMENT + 2) + lists * 3);
  let [end, next] = [0, 0];
  const put = (axis: number): void => {
    const size = shape[axis] as number;
    bytes[end++] = OPEN;
    if (axis + 1 === shape.length) end = putRow(bytes, end, values, next, (next += size));
    else {
      for (let i = 0; i < size; i++) {
        if (i > 0) bytes[end++] = COMMA;
        put(axis + 1);
      }
    }
    bytes[end++] = CLOSE;
  };
  put(0);
  return bytes.toString('latin1', 0, end);
}

/** Values between commas. @returns the end of the text */
function putRow(bytes: Uint8Array, start: number, values: Uint8Array | Uint16Array, from: number, to: number): number {
  const digits = digitTable();
  let end = start;
  for (let i = from; i < to; i++) {
    if (i > from) bytes[end++] = COMMA;
    end = putDigits(bytes, end, values[i] as number, digits);
  }
  return end;
}

/** Three bytes whatever the length, the next text overwrites the fill: a branch on the length takes three times as long. @returns the end of the digits */
function putDigits(bytes: Uint8Array, start: number, value: number, digits: Uint8Array): number {
  if (value > 999) {
    const last = putDigits(bytes, start, Math.trunc(value / 10), digits);
    bytes[last] = ZERO + (value % 10);
    return last + 1;
  }
  const at = 4 * value;
  bytes[start] = digits[at] as number;
  bytes[start + 1] = digits[at + 1] as number;
  bytes[start + 2] = digits[at + 2] as number;
  return start + (digits[at + 3] as number);
}

function countOf(shape: readonly number[]): number {
  return shape.reduce((count, size) => count * size, 1);
}
