/** Calibration text as windows of token ids, spread evenly over the text. */
import { readFile } from 'node:fs/promises';
import { readTokenWindows } from '@tundish/checkpoint';
import { type BlobRef, sha256 } from '@tundish/store';
import { type CorpusFormat, encodeCorpus, loadTokenizer } from '@tundish/tokenizer';
import { stageError } from '../errors.js';

/** The text that the lock pins, and how it is cut. */
export interface WindowPlan extends BlobRef {
  /** Absent for plain text. */
  readonly format?: CorpusFormat | 'tokens' | undefined;
  readonly windows: number;
  readonly windowLength: number;
}

/**
 * `windows` windows of BOS and the next tokens (tokens alone where the model has no BOS), taken at equal distances, so that
 * a text of several works is seen from end to end. Documents of a JSONL or chat file are joined by BOS.
 *
 * @throws STAGE_REQUIRES when the text is too short, STAGE_SOURCE_CHANGED when it is not the one that the lock pins, CHECKPOINT_TOKEN_WINDOWS, CORPUS_*
 */
export async function calibrationWindows(checkpoint: string, text: string, bos: number | null, plan: WindowPlan): Promise<Int32Array[]> {
  const { format = 'text' } = plan;
  if (format === 'tokens') return givenWindows(text, plan);
  const tokenizer = await loadTokenizer(checkpoint);
  const ids = await encodeCorpus(tokenizer, { format, path: text, bytes: await pinnedText(text, plan) }, bos);
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

/** The first windows of a file that has them cut already. */
async function givenWindows(path: string, plan: WindowPlan): Promise<Int32Array[]> {
  await pinnedText(path, plan);
  const { windows } = await readTokenWindows(path, 'calibration_windows');
  const length = windows[0]?.length ?? 0;
  if (windows.length < plan.windows || length !== plan.windowLength) {
    throw stageError('STAGE_REQUIRES', {
      what: `the calibration file has ${windows.length} windows of ${length} tokens; the recipe asks for ${plan.windows} of ${plan.windowLength}`,
      evidence: { path },
      fix: `write quantize.calibration: { windows: ${Math.min(windows.length, plan.windows)}, windowLength: ${length} }`,
    });
  }
  return windows.slice(0, plan.windows);
}

async function pinnedText(path: string, pin: BlobRef): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw stageError('STAGE_SOURCE_CHANGED', { what: 'the calibration text cannot be read', evidence: { path }, fix: 'restore the file, or write the lock again: npx nx g @tundish/nx:lock', cause });
  });
  const found = sha256(bytes);
  if (found === pin.sha256) return bytes;
  throw stageError('STAGE_SOURCE_CHANGED', {
    what: 'the calibration text is not the one that recipe.lock.json pins',
    why: `its sha256 is ${found.slice(0, 16)}…, the lock says ${pin.sha256.slice(0, 16)}…`,
    evidence: { path },
    fix: 'restore the file, or write the lock again: npx nx g @tundish/nx:lock',
  });
}
