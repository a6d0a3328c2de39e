/** Walks forward through a protobuf file without loading it: what is skipped is not read. */
import { readSync } from 'node:fs';
import { malformed } from '../errors.js';

/** Small enough that jumping over a thousand weights reads little, large enough that a graph takes few reads. */
const WINDOW = 64 * 1024;
/** Names and shapes are short; a longer text is damage. */
const TEXT_LIMIT = 1 << 20;
const MAX_VARINT_BYTES = 10;

/** Gets a field: its number, and either its integer value or the end of its bytes, at whose start the cursor stands. */
export type FieldVisitor = (field: number, value: number, end: number | undefined) => void;

export class WireCursor {
  readonly #window = Buffer.allocUnsafe(WINDOW);
  #base = 0;
  #filled = 0;
  /** Offset in the file of the next byte. */
  at = 0;

  constructor(private readonly descriptor: number, readonly size: number) {}

  /**
   * Visits the fields of a message that ends at `end`. Bytes that the visitor leaves unread are skipped.
   *
   * @throws ONNX_MALFORMED
   */
  fields(end: number, visit: FieldVisitor): void {
    while (this.at < end) {
      const start = this.at;
      const tag = this.#varint(end);
      const field = Math.floor(tag / 8);
      const wire = tag % 8;
      if (field === 0) throw malformed('a field has number 0', start);
      if (wire === 0) visit(field, this.#varint(end), undefined);
      else if (wire === 1) this.#skip(8, end);
      else if (wire === 5) this.#skip(4, end);
      else if (wire === 2) this.#bytes(field, end, visit);
      else throw malformed(`wire type ${wire}, which ONNX does not use`, start);
    }
  }

  /** The text from here to `end`. */
  text(end: number): string {
    const length = end - this.at;
    if (length > TEXT_LIMIT) throw malformed(`a text of ${length} bytes`, this.at);
    const bytes = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) bytes[i] = this.#byte(end);
    return bytes.toString('utf8');
  }

  #bytes(field: number, end: number, visit: FieldVisitor): void {
    const length = this.#varint(end);
    const last = this.at + length;
    if (last > end) throw malformed(`field ${field} claims ${length} bytes, ${end - this.at} are left`, this.at);
    visit(field, length, last);
    if (this.at > last) throw malformed(`field ${field} ends inside another`, last);
    this.at = last;
  }

  #skip(count: number, end: number): void {
    if (this.at + count > end) throw malformed('the file ends inside a number', this.at);
    this.at += count;
  }

  /** Exact below 2^53, which is all that lengths and sizes need. */
  #varint(end: number): number {
    const start = this.at;
    let value = 0;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      const byte = this.#byte(end);
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw malformed(`a number of more than ${MAX_VARINT_BYTES} bytes`, start);
  }

  #byte(end: number): number {
    if (this.at >= end) throw malformed('the file ends inside a field', this.at);
    const index = this.at - this.#base;
    if (index < 0 || index >= this.#filled) {
      this.#base = this.at;
      this.#filled = readSync(this.descriptor, this.#window, 0, WINDOW, this.at);
      if (this.#filled === 0) throw malformed('the file became shorter while it was read', this.at);
    }
    return this.#window[this.at++ - this.#base] as number;
  }
}
