/** A thread that ends is an error for whoever waits, never a hang. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

it('lets the native call in progress return, however often it is killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tundish-thread-'));
  const [begun, returned] = ['begun', 'returned'].map((name) => join(folder, name)) as [string, string];
  const blocking = `import { writeFileSync } from 'node:fs'; import { parentPort } from 'node:worker_threads';
    parentPort.on('message', ({ id, command }) => {
      if (command.kind === 'close') return parentPort.postMessage({ id });
      writeFileSync(${JSON.stringify(begun)}, '');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
      writeFileSync(${JSON.stringify(returned)}, '');
    });`;
  const thread = new SessionThread(program(blocking));
  const opened = expect(thread.open('a', spec)).rejects.toThrow('first');
  await expect.poll(() => existsSync(begun)).toBe(true);
  const first = thread.kill(new Error('first'));
  await opened;
  await thread.kill(new Error('second'));
  expect(existsSync(returned)).toBe(true);
  await first;
  await thread.close();
  rmSync(folder, { recursive: true });
});
