/** The figures at the sizes of known models, over random checkpoints: `--only 1b`, `3b`, `8b`. The figures of 8b need 28 GB of disk. */
import { recordMachine } from '../machine.mjs';
import { build } from './build.mjs';
import { CALIBRATED, cells, load, quantize } from './stages.mjs';

export const measurements = {
  '1b load': load('llama-3.2-1b'),
  '1b quantize': quantize('llama-3.2-1b', { title: 'weights only', options: { recipe: 'minmax', activations: 'none' }, workBytes: 3e9, bars: { seconds: 40, megabytes: 2000 } }),
  '1b cells': cells('llama-3.2-1b'),
  '1b build': build('llama-3.2-1b', { workBytes: 6e9, bars: { seconds: 180, megabytes: 3000 } }),
  '3b load': load('llama-3.2-3b'),
  '8b load': load('llama-3.1-8b'),
  '8b quantize': quantize('llama-3.1-8b', { title: '4,096 tokens of calibration', options: CALIBRATED, workBytes: 12e9, bars: { megabytes: 5000 } }),
};

export const atBothEnds = recordMachine;
