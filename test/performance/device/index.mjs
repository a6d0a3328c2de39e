/** The figures of builds for a Hexagon processor, with the vendor's libraries: compiled here, executed in their emulator. */
import { recordMachine } from '../machine.mjs';
import { chatModel } from './chat-model.mjs';
import { fidelity } from './fidelity.mjs';
import { genieTokens } from './genie-tokens.mjs';
import { onePart, wholeModel } from './large-parts.mjs';
import { sizes } from './sizes.mjs';
import { unchanged } from './unchanged.mjs';
import { LPBQ } from './workspace.mjs';

const MINI = { kl: 1.6e-4, p99: 1.4e-3, top1: 0.987, perplexity: 1e-3 };

export const measurements = {
  unchanged,
  sizes,
  'fidelity lpbq': fidelity('mini-llama', LPBQ, MINI),
  'fidelity rotary': fidelity('mini-llama', LPBQ, MINI, { rotaryEmbedding: 'operation' }),
  'fidelity int4': fidelity('mini-llama', { scheme: 'per_channel', bits: 4 }, { kl: 2.5e-4, top1: 0.982, perplexity: 1e-3 }),
  'fidelity outliers': fidelity('mini-llama-outliers', LPBQ, { kl: 4.5e-3, top1: 0.945, perplexity: 3e-3 }),
  genie: genieTokens,
  '1b part': onePart,
  '1b whole': wholeModel,
  smollm2: chatModel,
};

export const atBothEnds = recordMachine;
