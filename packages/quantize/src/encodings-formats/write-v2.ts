/** Writes encodings 2.0.0 and 2.1.0, aligned with ONNX QuantizeLinear. Layout: docs/formats/encodings.md. */
import { axisFromFront, inStorageOrder } from './block-layout.js';
import type { BlockLayout, EncodingsDocument, EncodingsEntry, IntegerGrid, LpbqForm } from './document.js';
import type { NestedNumbers, Numbers } from './list-text.js';
import { toOnnxZeroPoint } from './offsets.js';
import { entryExtra, extraFor, fieldsText, notExpressible, writeFields, writeTable } from './writing.js';

type Version2 = '2.0.0' | '2.1.0';

/** @throws ENCODINGS_NOT_EXPRESSIBLE */
export function writeEncodings200(document: EncodingsDocument): Generator<string> {
  return writeVersion2(document, '2.0.0');
}

/** @throws ENCODINGS_NOT_EXPRESSIBLE */
export function writeEncodings210(document: EncodingsDocument): Generator<string> {
  return writeVersion2(document, '2.1.0');
}

function* writeVersion2(document: EncodingsDocument, version: Version2): Generator<string> {
  const names = new Set<string>();
  for (const entry of document.entries) {
    if (names.has(entry.name)) throw notExpressible(entry, version, 'is an activation and a parameter, and there is one table');
    names.add(entry.name);
  }
  const entries = writeTable(document.entries, (entry) => fieldsText({ name: entry.name, ...fieldsOf(entry, version), ...entryExtra(document, entry, version) }));
  yield* writeFields(version, new Map([['encodings', entries]]), extraFor(document, version));
}

function fieldsOf(entry: EncodingsEntry, version: Version2): object {
  const { encoding } = entry;
  switch (encoding.kind) {
    case 'float':
      throw notExpressible(entry, version, 'stays in floating point, which has no entry there', 'leave it out');
    case 'per-tensor': {
      const { grid, scale, zeroPoint } = encoding;
      return { output_dtype: typeOf(grid), y_scale: scale, ...zeroPoints(grid, Float64Array.of(zeroPoint), ([zero]) => zero) };
    }
    case 'per-channel': {
      const { grid, scale, zeroPoint, axis } = encoding;
      if (axis === undefined) throw notExpressible(entry, version, 'does not say which axis its channels are', 'read the file together with its graph');
      return { output_dtype: typeOf(grid), y_scale: scale, ...zeroPoints(grid, zeroPoint, (zeros) => zeros), axis };
    }
    case 'per-block': {
      const { grid, scale, zeroPoint, blockSize } = encoding;
      const layout = layoutOf(entry, encoding.layout, version);
      const stored = (values: Numbers): NestedNumbers => ({ shape: layout.shape, values: inStorageOrder(layout, values) });
      return { output_dtype: typeOf(grid), y_scale: stored(scale), ...zeroPoints(grid, zeroPoint, stored), axis: layout.blockAxis, block_size: blockSize };
    }
    case 'lpbq':
      return lpbqFields(entry, encoding, version);
  }
}

function typeOf({ bits, signed }: Pick<IntegerGrid, 'bits' | 'signed'>): string {
  return `${signed ? 'int' : 'uint'}${bits}`;
}

/** Left out when all are 0. */
function zeroPoints(grid: IntegerGrid, zeroPoint: Float64Array, form: (zeros: Float64Array) => unknown): object {
  const zeros = zeroPoint.map((zero) => toOnnxZeroPoint(zero, grid));
  return zeros.every((zero) => zero === 0) ? {} : { y_zero_point: form(zeros) };
}

function lpbqFields(entry: EncodingsEntry, { bits, decompressedBits, blockSize, channelScale, blockScale, layout: known }: LpbqForm, version: Version2): object {
  if (decompressedBits !== 2 * bits) throw notExpressible(entry, version, `widens ${bits} bits to ${decompressedBits}, and twice the width is meant there`);
  const layout = layoutOf(entry, known, version);
  const integers: NestedNumbers = { shape: layout.shape, values: inStorageOrder(layout, blockScale) };
  const type = typeOf({ bits, signed: true });
  if (version === '2.1.0') return { output_dtype: type, y_scale: { x: integers, x_scale: channelScale, axis: layout.channelAxis }, axis: layout.blockAxis, block_size: blockSize };
  const channel = axisFromFront(layout.channelAxis, layout.shape.length);
  const scales: NestedNumbers = { shape: layout.shape.map((size, axis) => (axis === channel ? size : 1)), values: channelScale };
  return { output_dtype: type, axis: layout.blockAxis, block_size: blockSize, per_block_int_scale: integers, per_channel_float_scale: scales };
}

function layoutOf(entry: EncodingsEntry, layout: BlockLayout | undefined, version: Version2): BlockLayout {
  if (layout === undefined) throw notExpressible(entry, version, 'does not say in which order its weight is stored', 'read the file together with its graph');
  return layout;
}
