/** Conv2d 1 x 1 as a projection: sums of integer products, of codes and weights with one scale a channel. */
import { type Operand, Unmodelled, requiredGrid } from '../operand.js';
import { type OperationModel, list, operand, rowsOf } from './model.js';

export const modelProjection: OperationModel = (operation, inputs, output) => {
  if (inputs.length !== 2 || list(operation, 'stride').join() !== '1,1' || list(operation, 'pad_amount').join() !== '0,0,0,0') throw new Unmodelled('it is no projection without a bias');
  const [x, weight] = [operand(inputs, 0), operand(inputs, 1)];
  const { scales, blocks, blockScales } = weightScales(weight);
  const [from, to] = [requiredGrid(x.tensor), requiredGrid(output)];
  const units = Float64Array.from(scales, (scale) => (from.scale * scale) / to.scale);
  const { rows, width } = rowsOf(x.tensor);
  const channels = units.length;
  const expected = new Float64Array(rows * channels);
  const sums = { block: new Float64Array(channels), all: new Float64Array(channels) };
  for (let row = 0; row < rows; row++) {
    sumProducts(x.codes.subarray(row * width, (row + 1) * width), from.offset, weight.codes, { blocks, blockScales }, sums);
    for (let n = 0; n < channels; n++) expected[row * channels + n] = (sums.all[n] as number) * (units[n] as number) - to.offset;
  }
  return { expected, unit: units.reduce((largest, unit) => Math.max(largest, unit), 0) };
};

interface WeightScales {
  readonly scales: Float32Array;
  readonly blocks: number;
  /** [channel][block], integers; undefined where a channel is one block. */
  readonly blockScales: Uint8Array | undefined;
}

function weightScales({ tensor: { name, quantization }, blockScales }: Operand): WeightScales {
  if (quantization?.kind === 'axis' || quantization?.kind === 'bitwidth_axis') {
    if (quantization.offsets?.some((offset) => offset !== 0) === true) throw new Unmodelled(`${name} is not symmetric`);
    return { scales: quantization.scales, blocks: 1, blockScales: undefined };
  }
  if (quantization?.kind === 'blockwise') return { scales: quantization.scales, blocks: quantization.blocks, blockScales };
  throw new Unmodelled(`${name} is no weight of channels or LPBQ blocks`);
}

/** `all[n]` becomes sum over k of (x[k] + offset) * w[k][n] * blockScale[n][block of k]: integers, exact in float64. */
function sumProducts(x: Operand['codes'], offset: number, weights: Operand['codes'], { blocks, blockScales }: Omit<WeightScales, 'scales'>, { block: sum, all }: { readonly block: Float64Array; readonly all: Float64Array }): void {
  const channels = all.length;
  const width = x.length / blocks;
  all.fill(0);
  for (let block = 0; block < blocks; block++) {
    sum.fill(0);
    for (let k = block * width; k < (block + 1) * width; k++) {
      const factor = (x[k] as number) + offset;
      const at = k * channels;
      for (let n = 0; n < channels; n++) sum[n] = (sum[n] as number) + factor * (weights[at + n] as number);
    }
    for (let n = 0; n < channels; n++) all[n] = (all[n] as number) + (sum[n] as number) * (blockScales === undefined ? 1 : (blockScales[n * blocks + block] as number));
  }
}
