/** What the child refuses before a library sees it, in the form of the addon's failures. */
import type { QnnCallError } from '@tundish/native/qnn';

export function refusal(message: string): QnnCallError {
  return Object.assign(new Error(message), { call: 'arguments', result: 0 });
}
