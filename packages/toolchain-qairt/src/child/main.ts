/** The child: loads the addon, answers one request after the other, and ends with its parent. Nothing but a parent starts it. */
import { writeFileSync } from 'node:fs';
import { messageOf } from '@tundish/diagnostics';
import { type QnnCallError, openQnnAddon } from '@tundish/native/qnn';
import { Desk } from './desk.js';
import { type CallFailure, type CallName, PROTOCOL, type Reply, type Request } from './protocol.js';

/** When memory runs out the kernel ends this process, and nobody who shares the machine: a compiler may take all there is. */
const FIRST_TO_GO = 1000;

const opened = openQnnAddon();
if ('addon' in opened) opened.addon.dieWithParent(process.ppid);
const desk = 'addon' in opened ? new Desk(opened.addon) : undefined;

if (process.platform === 'linux') writeFileSync('/proc/self/oom_score_adj', String(FIRST_TO_GO));
process.on('disconnect', () => process.exit(0));
process.on('message', (request: Request) => process.send?.(answer(request)));

function answer({ id, call, input, protocol }: Request): Reply {
  const head = { protocol: PROTOCOL, id };
  try {
    if (protocol !== PROTOCOL) throw Object.assign(new Error(`the parent speaks protocol ${protocol}, this is ${PROTOCOL}`), { call: 'protocol', result: 0 });
    if (desk === undefined) throw Object.assign(new Error('reason' in opened ? opened.reason : ''), { call: 'addon', result: 0 });
    const output = desk.answer(call as CallName, input as never);
    // Thousands of lines may tell of a success: nobody reads them.
    desk.takeLog();
    return { ...head, output };
  } catch (error) {
    return { ...head, failure: failureOf(error), log: desk?.takeLog() ?? [] };
  }
}

function failureOf(error: unknown): CallFailure {
  const { call = 'child', result = 0 } = error as Partial<QnnCallError>;
  return { call, result, message: messageOf(error) };
}
