/** Entry of the worker thread: native calls block, so no session lives in the thread of the caller. */
import { parentPort } from 'node:worker_threads';
import { messageOf } from '@tundish/diagnostics';
import { openBinding, type OpenSession } from './onnx-binding.js';
import { sessionOptions } from './session-options.js';
import { type Command, type Reply, type Request, ownedBuffers } from './worker-protocol.js';

const sessions = new Map<string, OpenSession>();
let previous: Promise<void> = Promise.resolve();

parentPort?.on('message', (request: Request) => {
  previous = previous.then(() => answer(request));
});

async function answer({ id, command }: Request): Promise<void> {
  try {
    const result = await execute(command);
    parentPort?.postMessage({ id, ...result } satisfies Reply, ownedBuffers([...(result.outputs ?? []), ...(result.returned ?? [])]));
  } catch (error) {
    parentPort?.postMessage({ id, failure: messageOf(error) } satisfies Reply);
  }
}

async function execute(command: Command): Promise<Omit<Reply, 'id'>> {
  if (command.kind === 'run') return run(command);
  if (command.kind === 'open') {
    const session = await (await openBinding()).open(command.spec.model, sessionOptions(command.spec));
    if (command.spec.use.kind === 'compile') await session.release();
    else sessions.set(command.session, session);
    return {};
  }
  for (const session of sessions.values()) await session.release();
  sessions.clear();
  return {};
}

async function run(command: Command & { kind: 'run' }): Promise<Omit<Reply, 'id'>> {
  const session = sessions.get(command.session);
  const returned = command.feeds;
  if (session === undefined) return { failure: `no session ${command.session}`, returned };
  try {
    return { outputs: await session.run(command.feeds, command.fetches), returned };
  } catch (error) {
    return { failure: messageOf(error), returned };
  }
}
