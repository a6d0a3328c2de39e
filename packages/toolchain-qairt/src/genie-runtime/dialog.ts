/** A dialog of the vendor's runtime over one bundle, in a process of its own. */
import { readdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { printable } from '@tundish/diagnostics';
import type { QnnAnswer } from '@tundish/native/qnn';
import type { Child } from '../child/child.js';
import { bundleError } from '../genie/errors.js';
import { qairtError } from '../libraries/errors.js';
import type { GraphMemoryEstimate } from './memory-estimate.js';
import { type GenieProfile, readProfile } from './profile.js';

export interface GenerateOptions {
  /** The answer ends here at the latest. */
  readonly maxTokens: number;
  /** For the whole query; half an hour when absent. */
  readonly deadlineMs?: number;
}

/** Of `QnnAnswer.status`, and of `QnnAnswer.end`. */
const [CONTEXT_EXCEEDED, ABORTED] = [4, 4];

/**
 * Every call may also throw what `Child.call` does: QAIRT_CRASHED, after which the dialog is gone, for what the runtime does not
 * survive (docs/genie-runtime.md), and GENIE_CALL_FAILED for what it refuses.
 */
export class GenieDialog {
  /** @param bundle its folder, for messages @param vocabulary of the configuration */
  constructor(private readonly child: Child, private readonly bundle: string, private readonly vocabulary: number | undefined, readonly memory: readonly GraphMemoryEstimate[]) {}

  /**
   * The tokens behind these; the runtime puts BOS in front of them. Stop sequences do not end this form of a query.
   *
   * @throws QAIRT_ARGUMENT for no tokens, or one outside of the vocabulary; GENIE_CONTEXT_FULL
   */
  async generateTokens(prompt: ArrayLike<number>, options: GenerateOptions): Promise<Int32Array> {
    const tokens = Array.from(prompt);
    const odd = tokens.find((token) => !Number.isInteger(token) || token < 0 || token >= (this.vocabulary ?? 2 ** 31));
    if (odd !== undefined) throw qairtError('QAIRT_ARGUMENT', { what: `${odd} is no token of the bundle`, why: `its vocabulary has ${this.vocabulary} tokens, and the runtime does not survive another` });
    if (tokens.length === 0) throw qairtError('QAIRT_ARGUMENT', { what: 'a prompt needs at least one token' });
    const answer = await this.child.call('generateTokens', { prompt: Uint32Array.from(tokens), maxTokens: mostTokens(options) }, this.#forQuery(options));
    this.#requireWhole(answer, answer.tokens.length);
    return Int32Array.from(answer.tokens);
  }

  /** Text behind this one, without the stop sequence that ended it. @throws GENIE_CONTEXT_FULL */
  async generateText(prompt: string, options: GenerateOptions): Promise<string> {
    const answer = await this.child.call('generateText', { prompt, maxTokens: mostTokens(options) }, this.#forQuery(options));
    this.#requireWhole(answer, answer.text.length);
    return answer.text;
  }

  /** Tokens of a text by the bundle's tokenizer, without BOS. */
  async encode(text: string): Promise<Int32Array> {
    return text === '' ? new Int32Array() : this.child.call('encodeText', { text }, this.#of);
  }

  /** Forgets what was said: the next query begins with BOS again. */
  async reset(): Promise<void> {
    await this.child.call('resetDialog', {}, this.#of);
  }

  /** Writes what was said into a folder, which is made. @throws GENIE_CALL_FAILED when nothing was said yet */
  async save(folder: string): Promise<void> {
    await this.child.call('saveDialog', { folder: resolve(folder) }, this.#of);
  }

  /**
   * Goes on where `save` was called. A dialog that was refused is closed: the runtime does not survive its next query.
   *
   * @throws QAIRT_FILE for a folder with nothing in it
   */
  async restore(folder: string): Promise<void> {
    const path = resolve(folder);
    const files = await readdir(path).catch(() => []);
    if (files.length === 0) throw qairtError('QAIRT_FILE', { what: `${printable(path)} holds no saved dialog`, evidence: { path } });
    try {
      await this.child.call('restoreDialog', { folder: path }, this.#of);
    } catch (error) {
      await this.child.close();
      throw error;
    }
  }

  /** In place of those before: a text ends before any of them. @param texts not empty ones */
  async setStopSequences(texts: readonly string[]): Promise<void> {
    if (texts.includes('')) throw qairtError('QAIRT_ARGUMENT', { what: 'a stop sequence is empty', why: 'the runtime takes it and ignores it' });
    await this.child.call('setStopSequences', { texts }, this.#of);
  }

  /** What the runtime measured since the dialog was made. */
  async profile(): Promise<GenieProfile> {
    return readProfile(await this.child.call('profileDialog', {}, this.#of));
  }

  get #of(): { readonly subject: string } {
    return { subject: this.bundle };
  }

  #forQuery({ deadlineMs }: GenerateOptions): { readonly subject: string; readonly deadlineMs?: number } {
    return { ...this.#of, ...(deadlineMs === undefined ? {} : { deadlineMs }) };
  }

  #requireWhole({ status, end }: QnnAnswer, length: number): void {
    if (status === 0 && end !== ABORTED) return;
    if (status !== CONTEXT_EXCEEDED) throw bundleError('GENIE_CALL_FAILED', { what: `a query of ${printable(this.bundle)} was broken off`, why: `status ${status}, last piece ${end}` });
    throw bundleError('GENIE_CONTEXT_FULL', { what: `the context of ${printable(this.bundle)} is full`, why: length === 0 ? 'the prompt does not fit' : `the answer ended at ${length}`, fix: 'shorten the prompt, reset the dialog, or compile a larger context length' });
  }
}

function mostTokens({ maxTokens }: GenerateOptions): number {
  if (Number.isInteger(maxTokens) && maxTokens >= 1 && maxTokens < 2 ** 31) return maxTokens;
  throw qairtError('QAIRT_ARGUMENT', { what: `${maxTokens} cannot be the most tokens of an answer`, why: 'it is an integer of at least 1' });
}
