/** A thread that ends is an error for whoever waits, never a hang. */
import { expect, it } from 'vitest';
import { SessionThread } from '../src/session-thread.js';

const spec = { model: new Uint8Array(), folder: '/', threads: 1, use: { kind: 'execute' } } as const;
const program = (text: string): URL => new URL(`data:text/javascript,${encodeURIComponent(text)}`);

it.each([
  ['exits', "import { parentPort } from 'node:worker_threads'; parentPort.once('message', () => process.exit(3));", /HOST_WORKER_DIED.*\n.*exit code 3/],
  ['throws', "import { parentPort } from 'node:worker_threads'; parentPort.once('message', () => { throw new Error('out of luck'); });", /HOST_WORKER_DIED.*\n.*out of luck/],
])('rejects open calls, and later ones, when the thread %s', async (_, text, message) => {
  const thread = new SessionThread(program(text));
  await expect(thread.open('a', spec)).rejects.toThrow(message);
  await expect(thread.run('a', [], [])).rejects.toThrow(message);
  await thread.close();
});

it('reports what ONNX Runtime says about a model that it cannot read', async () => {
  const thread = new SessionThread();
  await expect(thread.open('broken', { ...spec, model: Uint8Array.of(1, 2, 3) })).rejects.toThrow(/HOST_SESSION_FAILED.*broken[\s\S]*\|/);
  await thread.close();
});
