/** Calibration text as windows of token ids, spread evenly over the text. */
import { readFile } from 'node:fs/promises';
import { loadTokenizer } from '@tundish/tokenizer';
import { stageError } from '../errors.js';

export interface WindowPlan {
  readonly windows: number;
  readonly windowLength: number;
}

/**
 * `windows` windows of BOS and the next tokens (tokens alone where the model has no BOS), taken at equal distances, so that
 * a text of several works is seen from end to end.
 *
 * @throws STAGE_REQUIRES when the text is too short
 */
export async function calibrationWindows(checkpoint: string, text: string, bos: number | null, plan: WindowPlan): Promise<Int32Array[]> {
  const tokenizer = await loadTokenizer(checkpoint);
  const ids = tokenizer.encode(await readFile(text, 'utf8'), { addSpecialTokens: false });
  const fresh = bos === null ? plan.windowLength : plan.windowLength - 1;
  const available = Math.floor(ids.length / fresh);
  if (available < plan.windows) {
    throw stageError('STAGE_REQUIRES', {
      what: `the calibration text has ${ids.length} tokens, which is ${available} windows of ${plan.windowLength}; the recipe asks for ${plan.windows}`,
      evidence: { path: text },
      fix: 'give a longer text, or lower quantize.calibration.windows or windowLength',
    });
  }
  return Array.from({ length: plan.windows }, (_, w) => {
    const start = Math.floor((w * available) / plan.windows) * fresh;
    return Int32Array.from(bos === null ? ids.slice(start, start + fresh) : [bos, ...ids.slice(start, start + fresh)]);
  });
}
