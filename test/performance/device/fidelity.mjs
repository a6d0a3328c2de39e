/** How near the simulation is to the emulator over windows that are spread over the protocol, and every operation and encoding. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { outliersCheckpoint } from './outliers.mjs';
import { CHECKPOINT, withDevice } from './workspace.mjs';

const GRAPHS = { ar: [1, 32], cl: [512], parts: 1 };
/** Of the 80 windows of the protocol, 511 positions each. */
const WINDOWS = { 'mini-llama': 16, 'mini-llama-outliers': 8 };
const PROTOCOL = join(CHECKPOINT, 'protocol.safetensors');

/** @param convert options of that stage beside their defaults */
export function fidelity(model, weights, bars, convert = {}) {
  return (record) => withDevice({ graphs: GRAPHS, convert, quantize: { recipe: 'minmax', weights, calibration: { text: PROTOCOL } } }, async (device) => {
    await device.build();
    const windows = join(device.root, 'windows.safetensors');
    writeFileSync(windows, spread(readFileSync(PROTOCOL), 'eval_windows', WINDOWS[model]));
    const report = JSON.parse((await device.tundish('fidelity', device.model, '--json', '--windows', windows, '--limit', `${WINDOWS[model]}`)).stdout);
    const { agreement, findings, operations, encodings } = report;
    const { perplexity: { device: emulated, simulation } } = agreement;
    record(`${model}: positions`, agreement.positions, 'tokens', ['>=', model === 'mini-llama' ? 8000 : 4000]);
    record(`${model}: mean KL from emulator to simulation`, agreement.deviceToSimulation.mean, 'nats', ['<=', bars.kl]);
    record(`${model}: p99`, agreement.deviceToSimulation.p99, 'nats', bars.p99 === undefined ? undefined : ['<=', bars.p99]);
    record(`${model}: top-1`, agreement.deviceToSimulation.top1, 'share', ['>=', bars.top1]);
    record(`${model}: perplexity of simulation and emulator`, Math.abs(simulation / emulated - 1), 'relative', ['<=', bars.perplexity]);
    record(`${model}: perplexity of the emulator`, emulated, '');
    record(`${model}: KL from checkpoint to emulator`, agreement.checkpointToDevice.mean, 'nats');
    record(`${model}: operations within their gate`, operations.filter(({ share }) => share <= 1).length, 'operations', ['=', operations.length]);
    record(`${model}: encodings compared`, encodings.length, 'encodings');
    record(`${model}: findings`, findings.length, 'findings', ['=', 0]);
  }, { checkpoint: model === 'mini-llama' ? CHECKPOINT : outliersCheckpoint() });
}

/** A safetensors file with `count` of the windows of another, at equal distances. */
function spread(bytes, name, count) {
  const length = Number(bytes.readBigUInt64LE(0));
  const { dtype, shape: [rows, columns], data_offsets: [from] } = JSON.parse(bytes.subarray(8, 8 + length).toString())[name];
  const width = 4 * columns;
  const chosen = Array.from({ length: count }, (_, i) => Math.floor((i * rows) / count)).map((row) => bytes.subarray(8 + length + from + row * width, 8 + length + from + (row + 1) * width));
  const header = Buffer.from(JSON.stringify({ [name]: { dtype, shape: [count, columns], data_offsets: [0, count * width] } }));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([size, header, ...chosen]);
}
