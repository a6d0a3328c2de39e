/** What a line of a chat is taken for. */
import { expect, it } from 'vitest';
import { CHAT_HELP, parseChatLine } from '../src/chat-command.js';

it.each([
  ['Who art thou?', { kind: 'message', text: 'Who art thou?' }],
  ['  /reset is a word here ', { kind: 'message', text: '/reset is a word here' }],
  ['', { kind: 'nothing' }],
  [' \t', { kind: 'nothing' }],
  ['/reset', { kind: 'reset' }],
  ['/help ', { kind: 'help' }],
  ['/exit', { kind: 'exit' }],
  ['/system  Answer in verse. ', { kind: 'system', text: 'Answer in verse.' }],
  ['/system', { kind: 'system', text: '' }],
  ['/systemic', { kind: 'unknown', text: '/systemic' }],
  ['/reset all', { kind: 'unknown', text: '/reset' }],
  ['/constructor', { kind: 'unknown', text: '/constructor' }],
  ['/', { kind: 'unknown', text: '/' }],
])('%j', (line, request) => {
  expect(parseChatLine(line)).toEqual(request);
});

it('help names every command', () => {
  const named = [...CHAT_HELP.matchAll(/^(\/\w+)/gm)].map(([, command]) => command as string);
  expect(named).toEqual(['/reset', '/system', '/help', '/exit']);
  expect(named.map((command) => parseChatLine(command).kind)).not.toContain('unknown');
});
