/** The child's side of the calls of a dialog. */
import type { QnnAddon, QnnDialog } from '@tundish/native/qnn';
import type { DialogCalls } from './dialog-calls.js';
import { refusal } from './refusal.js';

type DialogAnswers = { readonly [Name in keyof DialogCalls]: (input: DialogCalls[Name]['input']) => DialogCalls[Name]['output'] };

export function dialogAnswers(addon: QnnAddon): DialogAnswers {
  let open: QnnDialog | undefined;
  const opened = (): QnnDialog => {
    if (open === undefined) throw refusal('no dialog is open');
    return open;
  };
  return {
    openDialog: ({ library, config, logLevel }) => {
      if (open !== undefined) throw refusal('this process has a dialog already');
      open = addon.openDialog(library, config, logLevel);
      return addon.takeLog();
    },
    generateTokens: ({ prompt, maxTokens }) => opened().generateTokens(prompt, maxTokens),
    generateText: ({ prompt, maxTokens }) => opened().generateText(prompt, maxTokens),
    encodeText: ({ text }) => opened().encode(text),
    profileDialog: () => opened().profile(),
    resetDialog: () => {
      opened().reset();
      return null;
    },
    saveDialog: ({ folder }) => {
      opened().save(folder);
      return null;
    },
    restoreDialog: ({ folder }) => {
      opened().restore(folder);
      return null;
    },
    setStopSequences: ({ texts }) => {
      opened().setStopSequence(JSON.stringify({ 'stop-sequence': texts }));
      return null;
    },
    closeDialog: () => {
      opened().free();
      open = undefined;
      return null;
    },
  };
}
