/** The protocols that have a name: ours, and those behind published perplexities. */
import type { WindowShape } from './windows.js';

const whole = (windowLength: number): Pick<WindowShape, 'windowLength' | 'stride' | 'scored'> => ({ windowLength, stride: windowLength, scored: { first: 1, last: windowLength - 1 } });

/** `mini` with windows of another length: BOS and the next tokens, without overlap. */
export function miniShape(windowLength: number): WindowShape {
  return { windowLength, stride: windowLength - 1, bosPolicy: 'window', tail: 'drop', scored: { first: 1, last: windowLength - 1 }, mean: 'positions' };
}

export const PROTOCOLS = {
  mini: miniShape(512),
  /** AIMET 2: one call of the tokenizer, chunks of the context length, exp of the mean of their means. */
  'aimet-4096': { ...whole(4096), bosPolicy: 'text', tail: 'drop', mean: 'windows' },
  /** ai-hub-models: the same with ceil(): a short last chunk counts as much as the others. */
  'aihub-4096': { ...whole(4096), bosPolicy: 'text', tail: 'keep', mean: 'windows' },
  /** The evaluation of the GPTQ repository, which SpinQuant and many others took over. */
  'gptq-2048': { ...whole(2048), bosPolicy: 'text', tail: 'drop', mean: 'windows' },
  /** llama-perplexity with its default context: logits 256..510 are scored, which predict tokens 257..511. */
  'llamacpp-512': { ...whole(512), bosPolicy: 'overwrite', tail: 'drop', scored: { first: 257, last: 511 }, mean: 'positions' },
} as const satisfies Readonly<Record<string, WindowShape>>;

export type ProtocolName = keyof typeof PROTOCOLS;
