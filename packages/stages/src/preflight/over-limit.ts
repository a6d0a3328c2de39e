/** A stage that needs more memory than it may have, and what makes it need less. */
import { type TundishError, formatBytes } from '@tundish/diagnostics';
import type { StageName } from '@tundish/recipe/lock';
import { stageError } from '../errors.js';

/** No stage has a slower way that needs less: what could be cut up is. */
const WHY_SO_MUCH: Readonly<Partial<Record<StageName, string>>> = {
  quantize: 'it holds the codes of one block and the values of one calibration window, never more, and cannot hold less',
  compile: 'ONNX Runtime holds the weights of one part, and its packed copies of them',
};

/** @param need and maxMemory in bytes */
export function overLimit(stage: StageName, need: number, maxMemory: number): TundishError {
  return stageError('PREFLIGHT_MAX_MEMORY', {
    what: `${stage} needs about ${formatBytes(need)} of memory, the limit of this build is ${formatBytes(maxMemory)}`,
    why: WHY_SO_MUCH[stage] ?? 'the process takes that much with its code, a tokenizer and one graph',
    fix: `raise --max-memory, or ${smallerBuild(stage)}`,
  });
}

/** What a person can change in the recipe. */
export function smallerBuild(stage: StageName): string {
  if (stage === 'quantize') return 'lower quantize.calibration.windowLength, or write quantize: { activations: none }';
  if (stage === 'compile') return 'write more graphs.parts, or compile: { prepack: false }';
  return 'build on a machine with more memory';
}
