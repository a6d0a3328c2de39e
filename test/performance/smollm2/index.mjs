/** The figures of a real chat model from its GGUF file. */
import { recordMachine } from '../machine.mjs';
import { coldBuild } from './cold-build.mjs';
import { againstLlamaCpp } from './llama-cpp.mjs';
import { parity } from './parity.mjs';
import { answer, quality } from './quality.mjs';

export const measurements = { 'cold build': coldBuild, parity, quality, answer, 'llama.cpp': againstLlamaCpp };

export const atBothEnds = recordMachine;
