/** The figures of the path from checkpoint to text. */
import { buildBytes } from './build-bytes.mjs';
import { quality } from './quality.mjs';
import { noOp } from './no-op.mjs';
import { parity } from './parity.mjs';
import { transforms } from './transforms.mjs';

export const measurements = { parity, transforms, 'build and bytes': buildBytes, quality, 'no-op': noOp };
