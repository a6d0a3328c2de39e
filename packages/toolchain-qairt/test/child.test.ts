/** The process in front of the libraries: what it survives, and what it says then. Libraries are the loopback, processes are real. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TundishError } from '@tundish/diagnostics';
import { Child, type ChildOptions } from '@tundish/toolchain-qairt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { buildLoopback } from './loopback/build-loopback.js';

/** The addon exists nowhere else. */
const isHere = process.platform === 'linux' && process.arch === 'x64';

let folder: string;
beforeAll(() => {
  if (!isHere) return;
  ensureAddon();
  folder = buildLoopback();
});
afterAll(() => isHere && rmSync(folder, { recursive: true, force: true }));

const program = (name: string): URL => new URL(`programs/${name}.mjs`, import.meta.url);

async function failureOf(promise: Promise<unknown>): Promise<TundishError> {
  const error: unknown = await promise.then(() => undefined, (reason: unknown) => reason);
  if (!(error instanceof TundishError)) throw new Error(`no error of ours: ${String(error)}`);
  return error;
}

/** Gone, or dead and not yet collected by the process that inherited it. */
function isGone(pid: number): boolean {
  return !existsSync(`/proc/${pid}/stat`) || / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

async function withProcess(options: ChildOptions, work: (child: Child) => Promise<void>): Promise<void> {
  const child = new Child(options);
  await work(child).finally(() => child.close());
  expect(isGone(child.pid as number)).toBe(true);
}

async function graphIn(child: Child, name: string): Promise<number> {
  await child.call('openBackend', { library: join(folder, 'libQnnHtp.so'), logLevel: 2, soc: 69 });
  const context = await child.call('createContext', { weightSharing: false });
  return child.call('composeGraph', { context, name, options: {}, tensors: [], operations: [] });
}

describe.skipIf(!isHere)('a process that', () => {
  it('dies of a signal is an error with its last words, and so is every later call', () =>
    withProcess({ program: program('crash') }, async (child) => {
      const error = await failureOf(child.call('operations', {}, { subject: 'a graph' }));
      expect(error).toMatchObject({ code: 'QAIRT_CRASHED', why: 'signal SIGSEGV' });
      expect(error.what).toContain('in operations of a graph');
      expect(error.evidence.stderr).toEqual(expect.arrayContaining(['said on stdout', 'said on stderr \\u001b[31m']));
      expect((await failureOf(child.call('operations', {}))).code).toBe('QAIRT_CRASHED');
    }));

  it('ends by itself is an error', () =>
    withProcess({ program: program('exit') }, async (child) => {
      expect(await failureOf(child.call('operations', {}))).toMatchObject({ code: 'QAIRT_CRASHED', why: 'exit code 7' });
    }));

  it('takes too long is killed', () =>
    withProcess({ program: program('hang') }, async (child) => {
      const error = await failureOf(child.call('operations', {}, { deadlineMs: 400 }));
      expect(error).toMatchObject({ code: 'QAIRT_DEADLINE', evidence: { stderr: ['working'] } });
      expect(isGone(child.pid as number)).toBe(true);
    }));

  it('answers something else is killed', () =>
    withProcess({ program: program('garbage') }, async (child) => {
      expect((await failureOf(child.call('operations', {}))).code).toBe('QAIRT_CHILD_PROTOCOL');
    }));

  it('prints what it likes is listened to all the same', () =>
    withProcess({ program: program('noise') }, async (child) => {
      expect(await child.call('operations', {})).toEqual(['one']);
    }));

  it('leaves behind another that holds its pipes is gone all the same, closed or late', async () => {
    const heirs: number[] = [];
    const started = performance.now();
    await withProcess({ program: program('heir') }, async (child) => void heirs.push(Number((await child.call('operations', {}))[0])));
    await withProcess({ program: program('heir') }, async (child) => {
      heirs.push(Number((await child.call('operations', {}))[0]));
      process.kill(child.pid as number, 'SIGSTOP');
      expect((await failureOf(child.call('operations', {}, { deadlineMs: 200 }))).code).toBe('QAIRT_DEADLINE');
    });
    expect(performance.now() - started).toBeLessThan(20_000);
    heirs.forEach((pid) => process.kill(pid, 'SIGKILL'));
  });

  it('is killed from outside is an error of its own', () =>
    withProcess({ program: program('hang') }, async (child) => {
      const failure = failureOf(child.call('operations', {}));
      setTimeout(() => process.kill(child.pid as number, 'SIGKILL'), 200);
      expect((await failure).code).toBe('QAIRT_KILLED');
    }));

  it('calls libraries is the first to go when memory runs out', () =>
    withProcess({}, async (child) => {
      await graphIn(child, 'quiet');
      expect(readFileSync(`/proc/${child.pid}/oom_score_adj`, 'utf8')).toBe('1000\n');
    }));

  it('is cancelled ends at once, and a cancelled one never works', async () => {
    const cancel = new AbortController();
    await withProcess({ program: program('hang'), signal: cancel.signal }, async (child) => {
      const failure = failureOf(child.call('operations', {}));
      setTimeout(() => cancel.abort(new Error('enough')), 200);
      expect(await failure).toMatchObject({ code: 'QAIRT_CANCELLED', cause: cancel.signal.reason });
    });
    await withProcess({ signal: cancel.signal }, async (child) => expect((await failureOf(child.call('operations', {}))).code).toBe('QAIRT_CANCELLED'));
  });

  it('is closed fails what still waits', () =>
    withProcess({ program: program('hang') }, async (child) => {
      const failure = failureOf(child.call('operations', {}));
      await child.close();
      expect((await failure).code).toBe('QAIRT_CLOSED');
    }));

  it('cannot be started is an error', () =>
    withProcess({ program: program('not-there') }, async (child) => {
      expect((await failureOf(child.call('operations', {}))).code).toBe('QAIRT_CRASHED');
    }));
});

describe.skipIf(!isHere)('a library that', () => {
  it('aborts leaves its last line of the log', () =>
    withProcess({}, async (child) => {
      const error = await failureOf(child.call('finalize', { graph: await graphIn(child, 'crash') }, { subject: 'part 1' }));
      expect(error).toMatchObject({ code: 'QAIRT_CRASHED', why: 'signal SIGABRT' });
      expect(error.evidence.stderr).toContain('words before the end, 42');
    }));

  it('does not come back from a call ends with its parent', async () => {
    const parent = spawn(process.execPath, [fileURLToPath(program('parent')), join(folder, 'libQnnHtp.so')], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (text: Buffer) => resolve(Number(text))));
    expect(isGone(pid)).toBe(false);
    parent.kill('SIGKILL');
    for (let wait = 0; wait < 50 && !isGone(pid); wait++) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isGone(pid)).toBe(true);
  });

  it.each([
    ['unsupported', { code: 'QAIRT_OPERATION_UNSUPPORTED', what: 'the compiler cannot make node_7 for this chip' }],
    ['memory', { code: 'QAIRT_MEMORY' }],
    ['warned', { code: 'QAIRT_MEMORY' }],
  ])('says 1002 about the graph %s is understood by its log', (name, expected) =>
    withProcess({}, async (child) => {
      expect(await failureOf(child.call('finalize', { graph: await graphIn(child, name) }))).toMatchObject(expected);
      // A refusal is no crash: the process goes on.
      expect(await child.call('createContext', { weightSharing: false })).toBe(1);
    }));

  it('does not know a chip is named so', () =>
    withProcess({}, async (child) => {
      expect((await failureOf(child.call('openBackend', { library: join(folder, 'libQnnHtp.so'), logLevel: 1, soc: 9999 }))).code).toBe('QAIRT_CHIP_REFUSED');
    }));

  it('lacks a function says which slot', () =>
    withProcess({}, async (child) => {
      const graph = await graphIn(child, 'fine');
      await child.call('finalize', { graph });
      expect((await failureOf(child.call('writeBinary', { context: 0, path: join(folder, 'never.bin') }))).what).toContain('slot 11');
      expect(existsSync(join(folder, 'never.bin'))).toBe(false);
    }));

  it('is of an unknown version is refused before its functions are called', () => {
    const other = buildLoopback({ coreMinor: 44 });
    return withProcess({}, async (child) => {
      const error = await failureOf(child.call('openBackend', { library: join(other, 'libQnnHtp.so'), logLevel: 1 }));
      expect(error.code).toBe('QAIRT_BUILD_UNSUPPORTED');
      expect(error.why).toContain('core API 2.44.0');
    }).finally(() => rmSync(other, { recursive: true }));
  });

  it('is not there, or is no library, is named', () =>
    withProcess({}, async (child) => {
      expect((await failureOf(child.call('openBackend', { library: join(folder, 'absent.so'), logLevel: 1 }))).code).toBe('QAIRT_LIBRARY_MISSING');
      expect((await failureOf(child.call('openBackend', { library: fileURLToPath(import.meta.url), logLevel: 1 }))).code).toBe('QAIRT_LIBRARY_INVALID');
    }));
});

describe.skipIf(!isHere)('a call that does not fit', () => {
  const tensor = { name: 'x', type: 0, element: 0x408, dims: Uint32Array.of(2, 3) };
  const compose = async (child: Child, tensors: readonly object[], operations: readonly object[] = []): Promise<unknown> => {
    await child.call('openBackend', { library: join(folder, 'libQnnHtp.so'), logLevel: 1 });
    const context = await child.call('createContext', { weightSharing: false });
    return child.call('composeGraph', { context, name: 'fine', options: {}, tensors: tensors as never, operations: operations as never });
  };

  it.each([
    ['data of another size', [{ ...tensor, type: 4, data: new Uint8Array(5) }], 'has 5 bytes of data, its shape needs 6'],
    ['a file range beyond its end', [{ ...tensor, type: 4, data: { path: fileURLToPath(import.meta.url), offset: 1e9, bytes: 6 } }], 'reaches beyond the end'],
    ['an absurd shape', [{ ...tensor, type: 4, dims: Uint32Array.of(4e9, 4e9), data: new Uint8Array(1) }], 'absurdly large'],
    ['two tensors of a name', [tensor, tensor], 'two tensors are called x'],
    ['an unknown quantization', [{ ...tensor, quantization: { kind: 'odd' } }], 'unknown kind odd'],
    ['too few offsets', [{ ...tensor, quantization: { kind: 'axis', axis: 0, scales: new Float32Array(2), offsets: new Int32Array(1) } }], '2 scales and 1 offsets'],
    ['too few block scales', [{ ...tensor, quantization: { kind: 'blockwise', axis: 0, scales: new Float32Array(2), blocks: 3, bits: 4, blockScales: new Uint8Array(5) } }], '5 block scales'],
    ['a missing field', [{ name: 'x' }], 'the field dims is missing'],
  ])('%s is refused before the library sees it', (_, tensors, words) =>
    withProcess({}, async (child) => {
      const error = await failureOf(compose(child, tensors));
      expect(error.code).toBe('QAIRT_ARGUMENT');
      expect(error.message).toContain(words);
    }));

  it('an operation over a tensor that is not there is refused', () =>
    withProcess({}, async (child) => {
      const error = await failureOf(compose(child, [tensor], [{ name: 'n', type: 'Add', inputs: ['x', 'y'], outputs: [], parameters: [] }]));
      expect(error.message).toContain('n uses the tensor y');
    }));

  it('an input that cannot be sent is refused, and the process goes on', () =>
    withProcess({}, async (child) => {
      expect((await failureOf(child.call('validate', { graph: 0, operation: { name: () => 'x' } as never }))).code).toBe('QAIRT_ARGUMENT');
      expect((await failureOf(child.call('operations', {}))).message).toContain('no backend has been opened');
    }));

  it('handles that nobody gave out are refused', () =>
    withProcess({}, async (child) => {
      expect((await failureOf(child.call('finalize', { graph: 3 }))).message).toContain('there is no graph 3');
      expect((await failureOf(child.call('createContext', { weightSharing: true }))).message).toContain('no backend has been opened');
      expect((await failureOf(child.call('resetDialog', {}))).message).toContain('no dialog is open');
      expect((await failureOf(child.call('constructor' as never, {} as never, { deadlineMs: 5000 }))).message).toContain('there is no call constructor');
    }));
});
