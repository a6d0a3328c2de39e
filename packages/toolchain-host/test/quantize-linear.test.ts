/** The rounding that encodings promise is what ONNX Runtime does, bit by bit: TypeScript and C++ twins rely on it. */
import { expect, it } from 'vitest';
import { DataType, floatTensor, inlineTensor, bytesOf } from '@tundish/graph';
import { hostReference } from '../src/index.js';
import { modelOf, seeded } from './small-graph.js';

const COUNT = 1 << 16;
const GRIDS = [
  { dtype: DataType.UINT16, array: Uint16Array, highest: 65535, zeroPoint: 31000, scale: Math.fround(16 / 65535) },
  { dtype: DataType.UINT8, array: Uint8Array, highest: 255, zeroPoint: 128, scale: Math.fround(0.03) },
] as const;

function halfEven(x: number): number {
  const floor = Math.floor(x);
  const up = x - floor > 0.5 || (x - floor === 0.5 && floor % 2 !== 0);
  return floor + (up ? 1 : 0);
}

it.each(GRIDS)('QuantizeLinear is saturate(halfEven(fround(x / scale)) + zeroPoint), DequantizeLinear fround((q - zp) * scale)', async (grid) => {
  const { scale, zeroPoint, highest } = grid;
  const model = modelOf((graph) => {
    const x = graph.addInput('x', DataType.FLOAT, [COUNT]);
    const constants = [graph.addInitializer('s', floatTensor([scale], [])), graph.addInitializer('z', inlineTensor(grid.dtype, [], bytesOf(grid.array.of(zeroPoint))))];
    const codes = graph.addNode({ opType: 'QuantizeLinear', inputs: [x, ...constants], outputs: ['codes'] }).output();
    const back = graph.addNode({ opType: 'DequantizeLinear', inputs: [codes, ...constants], outputs: ['back'] }).output();
    graph.outputs.push(codes, back);
  });
  const random = seeded(1);
  // Every fourth value lies on a tie, and the range is half as wide again as the grid.
  const x = Float32Array.from({ length: COUNT }, (_, i) => (i % 4 === 0 ? Math.floor(random() * highest - zeroPoint) + 0.5 : 1.5 * random() * highest - zeroPoint * 1.25) * scale);
  const opened = await hostReference().open({ model, resolve: (location) => location, threads: 1 });
  const result = await opened.run(new Map([['x', x]]));
  await opened.close();
  const codes = grid.array.from(x, (value) => Math.min(highest, Math.max(0, halfEven(Math.fround(value / scale)) + zeroPoint)));
  expect(Buffer.compare(bytesOf(result.get('codes') as Uint16Array), bytesOf(codes))).toBe(0);
  expect(result.get('back')).toEqual(Float32Array.from(codes, (code) => Math.fround((code - zeroPoint) * scale)));
  expect(new Set(codes).size).toBeGreaterThan(200);
});
