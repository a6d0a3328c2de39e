/** The calls of a dialog of the vendor's runtime; a process has one. */
import type { QnnAnswer, QnnLogLine } from '@tundish/native/qnn';

/** How much is generated, behind what the dialog has seen so far. */
interface Query<Prompt> {
  readonly prompt: Prompt;
  readonly maxTokens: number;
}

export interface DialogCalls {
  /** Paths of the configuration are relative to the working folder of the process. The log is what was said while the dialog was made. */
  readonly openDialog: { readonly input: { readonly library: string; readonly config: string; readonly logLevel: number }; readonly output: readonly QnnLogLine[] };
  readonly generateTokens: { readonly input: Query<Uint32Array>; readonly output: QnnAnswer & { readonly tokens: Uint32Array } };
  readonly generateText: { readonly input: Query<string>; readonly output: QnnAnswer & { readonly text: string } };
  readonly encodeText: { readonly input: { readonly text: string }; readonly output: Int32Array };
  readonly resetDialog: { readonly input: Record<string, never>; readonly output: null };
  readonly saveDialog: { readonly input: { readonly folder: string }; readonly output: null };
  readonly restoreDialog: { readonly input: { readonly folder: string }; readonly output: null };
  readonly setStopSequences: { readonly input: { readonly texts: readonly string[] }; readonly output: null };
  /** JSON of the library's own form. */
  readonly profileDialog: { readonly input: Record<string, never>; readonly output: string };
  readonly closeDialog: { readonly input: Record<string, never>; readonly output: null };
}

/** As `DEADLINE_MS`. On a machine without the processor a token of a large model takes minutes. */
export const DIALOG_DEADLINE_MS: Readonly<Record<keyof DialogCalls, number>> = {
  openDialog: 600_000,
  generateTokens: 1_800_000,
  generateText: 1_800_000,
  encodeText: 60_000,
  resetDialog: 60_000,
  saveDialog: 120_000,
  restoreDialog: 120_000,
  setStopSequences: 60_000,
  profileDialog: 60_000,
  closeDialog: 120_000,
};
