/** What a line of a chat asks for: a message to the model, or a command that begins with a slash. */

export type ChatRequest =
  | { readonly kind: 'nothing' | 'reset' | 'help' | 'exit' }
  | { readonly kind: 'message' | 'system' | 'unknown'; readonly text: string };

/** A space in front makes a message of a line that begins with a slash. */
export const CHAT_HELP = `/reset        forgets what was said
/system TEXT  sets the system message and forgets what was said; without TEXT there is none
/help         shows this
/exit         leaves, as Ctrl-D does
Ctrl-C stops an answer. A space in front makes a message of a line that begins with a slash.
`;

/** Reads one line, without its line break. */
export function parseChatLine(line: string): ChatRequest {
  const text = line.trim();
  if (text === '') return { kind: 'nothing' };
  if (!line.startsWith('/')) return { kind: 'message', text };
  const [, command = '', rest = ''] = /^(\S+)\s*(.*)$/.exec(text) ?? [];
  if (command === '/system') return { kind: 'system', text: rest };
  const plain = PLAIN[command];
  return plain === undefined || rest !== '' ? { kind: 'unknown', text: command } : { kind: plain };
}

const PLAIN: Readonly<Record<string, 'reset' | 'help' | 'exit'>> = { '/reset': 'reset', '/help': 'help', '/exit': 'exit' };
