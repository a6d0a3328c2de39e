/** What a reader of encodings refuses, and how the error names tensor and field. */
import { describe, expect, test } from 'vitest';
import { cpuMilliseconds } from '../../../test/fixtures/cpu-time.js';
import { parseEncodings } from '../src/index.js';

const tensor = { name: 't', enc_type: 'PER_TENSOR', dtype: 'INT', bw: 16, is_sym: false, scale: [0.5], offset: [-7] };
const block = { ...tensor, name: 'w', enc_type: 'PER_BLOCK', bw: 4, is_sym: true, scale: [1, 2], offset: [-8, -8], block_size: 32 };
const lpbq = { ...block, enc_type: 'LPBQ', bw: 8, offset: [-128, -128], compressed_bw: 4, per_block_int_scale: [16, 1, 2, 16] };
const file100 = (entry: object): object => ({ version: '1.0.0', activation_encodings: [], param_encodings: [entry] });

const onnx = { name: 'w', output_dtype: 'int8', y_scale: [1, 2], axis: 0 };
const nested = { name: 'w', output_dtype: 'int4', axis: 1, block_size: 32, y_scale: { x: [[1, 16], [16, 3]], x_scale: [1, 2], axis: 0 } };
const flat = { name: 'w', output_dtype: 'int4', axis: 1, block_size: 32, per_block_int_scale: [[1, 16], [16, 3]], per_channel_float_scale: [[1], [2]] };
const file2 = (entry: object, version = '2.0.0'): object => ({ version, encodings: [entry] });

const channel = { bitwidth: 8, dtype: 'int', is_symmetric: 'True', min: -1, max: 1, offset: -128, scale: 0.1 };
const file061 = (list: unknown): object => ({ version: '0.6.1', activation_encodings: {}, param_encodings: { w: list } });

const text = (value: unknown): string => JSON.stringify(value);

test.each<[string, object]>([['tensor', file100(tensor)], ['block', file100(block)], ['lpbq', file100(lpbq)], ['onnx', file2(onnx)], ['flat', file2(flat)], ['flat in 2.1.0', file2(flat, '2.1.0')], ['nested', file2(nested, '2.1.0')], ['channels', file061([channel, channel])]])('control: %s is read', (_name, file) => {
  expect(parseEncodings(text(file)).entries).toHaveLength(1);
});

describe('the file', () => {
  test.each([
    ['', 'ENCODINGS_NOT_JSON', 'a value was expected'],
    ['{"version":"1.0.0",', 'ENCODINGS_NOT_JSON', 'key in double quotes'],
    ['[]', 'ENCODINGS_NOT_JSON', 'found a list'],
    ['{"version":"1.0.0","param_encodings":[{"scale":[NaN]}]}', 'ENCODINGS_NOT_JSON', 'NaN is not JSON'],
    ['{"version":"1.0.0","version":"2.0.0"}', 'ENCODINGS_DUPLICATE', 'version'],
    ['{}', 'ENCODINGS_VERSION', 'missing'],
    ['{"version":"3.0.0"}', 'ENCODINGS_VERSION', '3.0.0'],
    ['{"version":1}', 'ENCODINGS_VERSION', '1'],
    ['{"version":"1.0.0","activation_encodings":[]}', 'ENCODINGS_FIELD', 'param_encodings must be a list, found missing'],
    ['{"version":"1.0.0","activation_encodings":{},"param_encodings":[]}', 'ENCODINGS_FIELD', 'activation_encodings must be a list'],
    ['{"version":"0.6.1","activation_encodings":[],"param_encodings":{}}', 'ENCODINGS_FIELD', 'activation_encodings must be an object'],
    ['{"version":"2.0.0"}', 'ENCODINGS_FIELD', 'encodings must be a list'],
    ['{"version":"2.0.0","encodings":[7]}', 'ENCODINGS_FIELD', 'encodings[0] must be an object, found 7'],
    ['{"version":"2.0.0","encodings":[{}]}', 'ENCODINGS_FIELD', 'encodings[0]: name must be a text'],
    [`{"version":"0.6.1","activation_encodings":{"a":[${text(channel)}],"a":[]},"param_encodings":{}}`, 'ENCODINGS_DUPLICATE', '"a"'],
    [text({ version: '2.0.0', encodings: [onnx, onnx] }), 'ENCODINGS_DUPLICATE', 'w is named twice in encodings'],
    [text({ ...file100(lpbq), activation_encodings: [tensor, tensor] }), 'ENCODINGS_DUPLICATE', 't is named twice in activation_encodings'],
    [`${'['.repeat(20000)}`, 'ENCODINGS_NOT_JSON', 'nested deeper'],
  ])('%s', (content, code, what) => {
    expect(() => parseEncodings(content, { path: 'x.encodings' })).toThrow(expect.objectContaining({ code, what: expect.stringContaining(what) as string, evidence: expect.objectContaining({ path: 'x.encodings' }) as object }) as Error);
  });
});

describe('an entry', () => {
  test.each<[string, object, string]>([
    ['no scale', file100({ ...tensor, scale: undefined }), 't: scale must be a list, found missing'],
    ['no offset', file100({ ...tensor, offset: undefined }), 't: offset must be a list'],
    ['negative scale', file100({ ...tensor, scale: [-1] }), 't: scale[0] must be a number above 0, found -1'],
    ['scale 0', file100({ ...tensor, scale: [0] }), 't: scale[0] must be a number above 0'],
    ['scale null', file100({ ...tensor, scale: [null] }), 't: scale[0] must be a number above 0, found null'],
    ['two scales of a tensor', file100({ ...tensor, scale: [1, 1], offset: [0, 0] }), 't: scale has 2 values, 1 expected'],
    ['offsets too few', file100({ ...block, offset: [-8] }), 'w: offset has 1 values, 2 expected'],
    ['positive offset', file100({ ...tensor, offset: [1] }), 't: offset[0] must be a whole number from -65535 to 0, found 1'],
    ['fractional offset', file100({ ...tensor, offset: [-0.5] }), 't: offset[0] must be a whole number'],
    ['width 7', file100({ ...tensor, bw: 7 }), 't: bw must be one of 4, 8, 16, 32, found 7'],
    ['unknown form', file100({ ...tensor, enc_type: 'PER_ROW' }), 't: enc_type must be one of'],
    ['is_sym as text', file100({ ...tensor, is_sym: 'False' }), 't: is_sym must be true or false, found "False"'],
    ['floating point per channel', file100({ ...tensor, dtype: 'FLOAT', enc_type: 'PER_CHANNEL' }), 't: enc_type must be PER_TENSOR for dtype FLOAT'],
    ['no block size', file100({ ...block, block_size: undefined }), 'w: block_size must be a whole number'],
    ['block size 0', file100({ ...block, block_size: 0 }), 'w: block_size must be a whole number'],
    ['LPBQ without integers', file100({ ...lpbq, per_block_int_scale: undefined }), 'w: per_block_int_scale must be a list'],
    ['LPBQ with uneven blocks', file100({ ...lpbq, per_block_int_scale: [16, 1, 2] }), 'w: per_block_int_scale has 3 values, which 2 channels cannot share'],
    ['LPBQ integer 17', file100({ ...lpbq, per_block_int_scale: [17, 1, 2, 16] }), 'w: per_block_int_scale[0] must be a whole number from 1 to 16'],
    ['LPBQ integer 0', file100({ ...lpbq, per_block_int_scale: [16, 0, 2, 16] }), 'w: per_block_int_scale[1] must be'],
    ['LPBQ not symmetric', file100({ ...lpbq, is_sym: false }), 'w: is_sym must be true for enc_type LPBQ'],
    ['LPBQ with an offset', file100({ ...lpbq, offset: [-128, 0] }), 'w: offset[1] must be -128 for enc_type LPBQ'],
    ['LPBQ that does not compress', file100({ ...lpbq, compressed_bw: 8 }), 'w: compressed_bw must be below bw'],
    ['unknown type', file2({ ...onnx, output_dtype: 'float8e4m3fn' }), 'w: output_dtype must be one of'],
    ['no axis', file2({ ...onnx, axis: undefined }), 'w: axis must be a whole number'],
    ['axis 99', file2({ ...onnx, axis: 99 }), 'w: axis must be a whole number'],
    ['no scale', file2({ ...onnx, y_scale: undefined }), 'w: y_scale must be a number or a list, found missing'],
    ['nested scale in 2.0.0', file2(nested), 'w: y_scale must be a number or a list, found an object'],
    ['zero points too few', file2({ ...onnx, y_zero_point: [1] }), 'w: y_zero_point has the shape [1], y_scale [2]'],
    ['zero point outside its type', file2({ ...onnx, y_zero_point: [0, 128] }), 'w: y_zero_point[1] must be a whole number from -128 to 127'],
    ['ragged blocks', file2({ ...onnx, block_size: 2, y_scale: [[1, 2], [3]] }), 'w: y_scale has rows of different lengths'],
    ['rows without block size', file2({ ...onnx, y_scale: [[1, 2], [3, 4]] }), 'w: y_scale has 2 axes and there is no block_size'],
    ['two axes of channels', file2({ ...onnx, block_size: 2, axis: 2, y_scale: [[[1], [2]], [[3], [4]]] }), 'w: y_scale of shape [2,2,1] has more than one axis of channels'],
    ['block axis outside', file2({ ...flat, axis: 2 }), 'w: axis is 2, the scales have 2 axes'],
    ['channel scales of another shape', file2({ ...flat, per_channel_float_scale: [[1, 2]] }), 'w: per_block_int_scale has no axis 1'],
    ['channel scales too few', file2({ ...flat, per_channel_float_scale: [[1]] }), 'w: per_channel_float_scale has the shape [1,1]'],
    ['no channel scales', file2({ ...flat, per_channel_float_scale: undefined }), 'w: per_channel_float_scale must be a list'],
    ['unsigned LPBQ', file2({ ...flat, output_dtype: 'uint4' }), 'w: output_dtype must be int4 or int8'],
    ['integer 17', file2({ ...flat, per_block_int_scale: [[17, 1], [1, 1]] }), 'w: per_block_int_scale[0] must be a whole number from 1 to 16'],
    ['float x', file2({ ...nested, y_scale: { ...nested.y_scale, input_dtype: 'float8e4m3fn' } }, '2.1.0'), 'w: y_scale.input_dtype must be absent'],
    ['inner axis missing', file2({ ...nested, y_scale: { ...nested.y_scale, axis: undefined } }, '2.1.0'), 'w y_scale: axis must be a whole number'],
    ['inner scales too many', file2({ ...nested, y_scale: { ...nested.y_scale, x_scale: [1, 2, 3] } }, '2.1.0'), 'w: y_scale.x_scale has 3 values, 2 expected'],
    ['no channel', file061([]), 'w: encoding has no channel'],
    ['boolean is_symmetric', file061([{ ...channel, is_symmetric: true }]), 'w: is_symmetric must be one of True, False, found true'],
    ['mixed widths', file061([channel, { ...channel, bitwidth: 4 }]), 'w: encoding[1].bitwidth must be that of the first channel, found 4'],
    ['mixed fields', file061([channel, { ...channel, min: undefined }]), 'w: encoding[1] has other fields'],
    ['blocks', file061([{ ...channel, offset: -128.5 }]), 'w: encoding[0].offset must be a whole number from -255 to 0'],
  ])('%s', (_name, file, what) => {
    expect(() => parseEncodings(text(file))).toThrow(expect.objectContaining({ code: expect.stringMatching(/^ENCODINGS_(FIELD|SHAPE)$/) as string, what: expect.stringContaining(what) as string }) as Error);
  });

  test('a hostile name is shown, not sent to the terminal', () => {
    expect(() => parseEncodings(text(file2({ ...onnx, name: '\u001b[31m', axis: undefined })))).toThrow(expect.objectContaining({ what: expect.stringContaining('\\u001b[31m: axis') as string }) as Error);
  });

  test('a block size or an integer count that promises much allocates nothing', () => {
    const start = cpuMilliseconds();
    parseEncodings(text(file100({ ...block, block_size: 2 ** 31 - 1 })));
    expect(cpuMilliseconds() - start).toBeLessThan(200);
  });
});
