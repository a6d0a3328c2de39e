/** Identity and convert are called by every task: they must not load ONNX Runtime. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { hostToolchain } from '../src/index.js';

const PROGRAM = `
  const { hostToolchain } = await import('@tundish/toolchain-host');
  const { Graph, DataType } = await import('@tundish/graph');
  const graph = new Graph('g');
  graph.outputs.push(graph.addNode({ opType: 'Sigmoid', inputs: [graph.addInput('x', DataType.FLOAT, [1])], outputs: ['y'] }).output());
  Object.assign(graph.value('y'), { dtype: DataType.FLOAT, shape: [1] });
  const model = { irVersion: 11, opsetImports: new Map([['', 23]]), producerName: '', metadata: new Map(), graph };
  const host = hostToolchain();
  const { version } = await host.identity();
  await host.convert({ signal: new AbortController().signal }, { cell: { ar: 1, cl: 2, part: 1, parts: 1 }, model, options: {} });
  const loaded = process.report.getReport().sharedObjects.filter((path) => path.includes('onnxruntime'));
  process.stdout.write(JSON.stringify({ version, loaded }));
`;

it('is read from files, and convert works without the library', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', PROGRAM], { cwd: import.meta.dirname });
  const manifest = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as { dependencies: Record<string, string> };
  expect(JSON.parse(stdout)).toEqual({ version: `onnxruntime ${manifest.dependencies['onnxruntime-node']}`, loaded: [] });
});

ensureAddon();

it('names what the bytes of compile depend on', async () => {
  const { name, machine, operators } = await hostToolchain().identity();
  expect(name).toBe('host');
  expect(machine).toMatch(new RegExp(`^${process.platform}-${process.arch} \\S+$`));
  expect(operators).toMatch(/^tundish-operators-\d+$/);
});
