/** Entry of the worker thread: native calls block, so no session lives in the thread of the caller. */
import { parentPort } from 'node:worker_threads';
import { messageOf } from '@tundish/diagnostics';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { TensorData } from '@tundish/toolchain';
import { sessionOptions } from './session-options.js';
import type { Command, Feed, Reply, Request } from './worker-protocol.js';

const sessions = new Map<string, InferenceSession>();
let previous: Promise<void> = Promise.resolve();

parentPort?.on('message', (request: Request) => {
  previous = previous.then(() => answer(request));
});

async function answer({ id, command }: Request): Promise<void> {
  try {
    const result = await execute(command);
    const buffers = [...(result.outputs ?? []), ...(result.returned ?? [])].map(({ data }) => data.buffer as ArrayBuffer);
    parentPort?.postMessage({ id, ...result } satisfies Reply, [...new Set(buffers)]);
  } catch (error) {
    parentPort?.postMessage({ id, failure: messageOf(error) } satisfies Reply);
  }
}

async function execute(command: Command): Promise<Omit<Reply, 'id'>> {
  if (command.kind === 'run') return run(command);
  if (command.kind === 'open') {
    const session = await InferenceSession.create(command.spec.model, sessionOptions(command.spec));
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
  const feeds = Object.fromEntries(command.feeds.map((feed) => [feed.name, tensorOf(feed)]));
  try {
    return { ...outputsOf(await session.run(feeds, [...command.fetches]), command.fetches), returned };
  } catch (error) {
    return { failure: messageOf(error), returned };
  }
}

function outputsOf(results: InferenceSession.OnnxValueMapType, fetches: readonly string[]): Pick<Reply, 'outputs' | 'failure'> {
  const outputs: { name: string; data: TensorData }[] = [];
  for (const name of fetches) {
    const data = results[name]?.data;
    if (!isTensorData(data)) return { failure: `output ${name} is ${results[name]?.type ?? 'absent'}: float32, uint8, uint16 and int32 can be returned` };
    outputs.push({ name, data });
  }
  return { outputs };
}

function isTensorData(data: unknown): data is TensorData {
  return data instanceof Float32Array || data instanceof Uint8Array || data instanceof Uint16Array || data instanceof Int32Array;
}

function tensorOf({ data, dims }: Feed): Tensor {
  if (data instanceof Float32Array) return new Tensor('float32', data, dims);
  if (data instanceof Uint8Array) return new Tensor('uint8', data, dims);
  if (data instanceof Uint16Array) return new Tensor('uint16', data, dims);
  return new Tensor('int32', data, dims);
}
