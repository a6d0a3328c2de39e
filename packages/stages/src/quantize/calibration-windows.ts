/** Calibration text as windows of token ids, spread evenly over the text. */
import { readFile } from 'node:fs/promises';
import { type BlobRef, sha256 } from '@tundish/store';
import { loadTokenizer } from '@tundish/tokenizer';
import { stageError } from '../errors.js';

/** The text that the lock pins, and how it is cut. */
export interface WindowPlan extends BlobRef {
  readonly windows: number;
  readonly windowLength: number;
}

/**
 * `windows` windows of BOS and the next tokens (tokens alone where the model has no BOS), taken at equal distances, so that
 * a text of several works is seen from end to end.
 *
 * @throws STAGE_REQUIRES when the text is too short, STAGE_SOURCE_CHANGED when it is not the one that the lock pins
 */
export async function calibrationWindows(checkpoint: string, text: string, bos: number | null, plan: WindowPlan): Promise<Int32Array[]> {
  const tokenizer = await loadTokenizer(checkpoint);
  const ids = tokenizer.encode(await pinnedText(text, plan), { addSpecialTokens: false });
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

async function pinnedText(path: string, pin: BlobRef): Promise<string> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw stageError('STAGE_SOURCE_CHANGED', { what: 'the calibration text cannot be read', evidence: { path }, fix: 'restore the file, or write the lock again: npx nx g @tundish/nx:lock', cause });
  });
  const found = sha256(bytes);
  if (found === pin.sha256) return bytes.toString('utf8');
  throw stageError('STAGE_SOURCE_CHANGED', {
    what: 'the calibration text is not the one that recipe.lock.json pins',
    why: `its sha256 is ${found.slice(0, 16)}…, the lock says ${pin.sha256.slice(0, 16)}…`,
    evidence: { path },
    fix: 'restore the file, or write the lock again: npx nx g @tundish/nx:lock',
  });
}
