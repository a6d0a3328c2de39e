import { cpSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { repositoryPath, Workspace } from './workspace.js';

const FILES = repositoryPath('packages/stages/test/fixtures/aimet-llama');
test('try', async () => {
  const workspace = Workspace.make(`checkpoint: ./checkpoint\ngraphs: { ar: [1, 8], cl: [32], parts: 2 }\nquantize: { source: { encodings: ./aimet/aimet_1.0.0.encodings, onnx: ./aimet/aimet_1.0.0.onnx } }\n`);
  cpSync(FILES, workspace.path('aimet'), { recursive: true });
  await workspace.build('package');
  const pipeline = await workspace.open({ inputsInPlace: true });
  const input = await pipeline.input({ stage: 'quantize', subject: null });
  console.log(readFileSync(input.path('quantize-report.json'), 'utf8'), input.manifest.facts);
  expect(1).toBe(1);
});
