/** Bytes of results, so that implementations can be compared bit for bit. */

export type Result = Float32Array | Uint8Array | Int8Array | Uint16Array | number;

/** A NaN stands for every NaN, because the payload of a computed NaN is unspecified. */
export function bytes(result: Result): Buffer {
  const array = typeof result === 'number' ? new Float64Array([result]) : result;
  if (array instanceof Float32Array && array.some(Number.isNaN)) {
    const words = new Uint32Array(array.slice().buffer);
    array.forEach((x, i) => { if (Number.isNaN(x)) words[i] = 0x7fc00000; });
    return Buffer.from(words.buffer);
  }
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}
