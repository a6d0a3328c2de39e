/** What failed is never stored, and what was damaged is never served: the next build makes it, with the bytes of an undisturbed one. */
import { execFile, spawn } from 'node:child_process';
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { PipelineRequest } from '@tundish/stages';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { REPOSITORY } from '../e2e/nx-workspace.js';
import { Installation, MODEL_ROOT, Model, flipBit } from './model.js';
import { row } from './row.js';

const BUILD = join(REPOSITORY, 'packages/stages/test/build-process.mjs');

let installation: Installation;
let base: Model;
beforeAll(async () => {
  installation = await Installation.make();
  base = Model.make(installation);
  await base.build();
});
afterAll(() => installation.workspace.remove());

const adaptersWith = (change: Partial<PipelineRequest['adapters']>): PipelineRequest['adapters'] => ({ toolchain: () => installation.host.hostToolchain(), reference: () => installation.host.hostReference(), ...change });

describe('never stored', () => {
  /** A build that ends in `stage` leaves no entry of it, and the next one gives what an undisturbed build gives. */
  function failed(change: string, stage: string, disturb: (model: Model) => Promise<string>): void {
    row('never stored', change, async () => {
      const model = Model.make(installation);
      const how = await disturb(model);
      expect(model.entries(stage)).toEqual([]);
      expect(() => model.manifest(stage)).toThrow('ENOENT');
      expect(await model.build()).toContain(stage);
      expect(model.manifest('package')).toBe(base.manifest('package'));
      model.remove();
      return `${how}: no entry of ${stage}, then the bytes of an undisturbed build`;
    });
  }
  const codeOf = (build: Promise<unknown>): Promise<string> => build.then(() => 'no failure', (error: unknown) => {
    const { code, name } = error as { readonly code?: unknown; readonly name: string };
    return typeof code === 'string' ? code : name;
  });
  const processOf = (model: Model): string[] => [BUILD, model.root, MODEL_ROOT, model.cacheRoot];

  failed('failure', 'quantize', (model) => codeOf(model.build('package', { adapters: adaptersWith({ reference: () => ({ ...installation.host.hostReference(), open: () => Promise.reject(new TypeError('broken')) }) }) })));
  failed('timeout', 'quantize', (model) => {
    const controller = new AbortController();
    const progress = ({ work }: { readonly work: string }): void => void (work === 'quantize' && setTimeout(() => controller.abort(new DOMException('too long', 'TimeoutError')), 1));
    return codeOf(model.build('package', { signal: controller.signal, reporter: { info: () => undefined, warn: () => undefined, progress } }));
  });
  failed('kill -9', 'quantize', async (model) => {
    await model.lock();
    const child = spawn(process.execPath, processOf(model), { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise<string>((resolve) => void child.on('close', (_code, signal) => resolve(String(signal))));
    for await (const line of createInterface({ input: child.stdout })) if (line.includes('blocks 2 of')) child.kill('SIGKILL');
    return ended;
  });
  failed('full disk', 'quantize', async (model) => {
    await model.lock();
    const { stdout } = await promisify(execFile)('bash', ['-c', 'ulimit -f 600; exec "$0" "$@"', process.execPath, ...processOf(model)]);
    return (JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as { code?: string }).code ?? 'no failure';
  });
  failed('missing output', 'compile', (model) => codeOf(model.build('package', {
    adapters: adaptersWith({
      toolchain: () => {
        const host = installation.host.hostToolchain();
        return { ...host, compile: async (context, request) => {
          const result = await host.compile(context, request);
          for (const { content } of result.files) if ('path' in content) rmSync(content.path);
          return result;
        } };
      },
    }),
  })));
});

describe('never served', () => {
  /** The stage is made again after its result was damaged. */
  function damaged(change: string, stage: string, harm: (model: Model) => void): void {
    row('never served', change, async () => {
      const model = base.copy();
      harm(model);
      expect(await model.build()).toEqual([stage]);
      expect(model.manifest('package')).toBe(base.manifest('package'));
      expect(await model.build()).toEqual([]);
      model.remove();
      return `${stage} made again, the same bytes`;
    });
  }
  const entry = (model: Model, file: string): string => join(model.cacheRoot, 'mini', model.entries('quantize')[0] as string, file);
  const edit = (path: string, change: (text: string) => string): void => writeFileSync(path, change(readFileSync(path, 'utf8')));

  damaged('truncated blob', 'quantize', (model) => truncateSync(model.blob('quantize', 'encodings-1.0.0.json'), 1000));
  damaged('flipped bit of a blob', 'quantize', (model) => flipBit(model.blob('quantize', 'block-2.weights')));
  damaged('flipped bit of a graph', 'load', (model) => flipBit(model.blob('load', 'graph.onnx')));
  damaged('lost blob', 'package', (model) => rmSync(model.blob('package', 'manifest.json')));
  damaged('manifest of another schema', 'quantize', (model) => edit(entry(model, 'stage.json'), (text) => text.replace('"schema": 1', '"schema": 2')));
  damaged('result under another key', 'quantize', (model) => edit(entry(model, 'builder_cache_info.json'), (text) => text.replace(/"hash": "../, '"hash": "zz')));
  damaged('half a sidecar', 'quantize', (model) => truncateSync(entry(model, 'builder_cache_info.json'), 100));
});
