/** What a build for a device reads is in its keys, and nothing else of it: each row changes one thing and names the stages that run. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { ensureAddon } from '../../native/test/built-addon.js';
import { describeWith, realLibraries } from '../../packages/toolchain-qairt/test/real-libraries.js';
import { Installation, Model } from './model.js';
import { expectRan, row } from './row.js';

const RECIPE = `checkpoint: ./checkpoint
toolchain: qairt
chipset: sm8750
graphs: { ar: [1, 16], cl: [64], parts: 1 }
quantize: { recipe: minmax, calibration: { windows: 2, windowLength: 48 } }
compile: { vtcmMb: 8 }
package: { profile: burst }
`;
const EVERYTHING = ['load', 'optimize', 'quantize', 'arcl', 'transform', 'convert', 'compile', 'package'];
const PART = ['compile', 'package'];

const real = realLibraries();

describeWith(real.slice(0, 1), 'a build for a device, with %s', (_title, { folder }) => {
  let installation: Installation;
  let base: Model;
  beforeAll(async () => {
    ensureAddon();
    installation = await Installation.make();
    base = Model.make(installation, { recipe: RECIPE });
    expect(await base.build()).toEqual(EVERYTHING);
  });
  afterAll(() => installation.workspace.remove());

  function rowOf(rule: 'must miss' | 'must hit', change: string, stages: readonly string[], apply: (text: string) => string): void {
    row(rule, change, async () => {
      const model = base.copy();
      model.edit('recipe.yaml', apply);
      const ran = await model.build();
      model.remove();
      return expectRan(ran, stages);
    });
  }

  const compile = (option: string) => (text: string): string => text.replace('compile: { vtcmMb: 8 }', `compile: { ${option} }`);
  const pack = (option: string) => (text: string): string => text.replace('package: { profile: burst }', `package: { ${option} }`);

  rowOf('must miss', 'chip', PART, (text) => text.replace('sm8750', 'sm8650'));
  rowOf('must miss', 'option compile.optimizationLevel', PART, compile('optimizationLevel: 2'));
  rowOf('must miss', 'option compile.vtcmMb', PART, compile('vtcmMb: 4'));
  rowOf('must miss', 'option compile.hvxThreads', PART, compile('hvxThreads: 4'));
  rowOf('must miss', 'option compile.dlbc', PART, compile('dlbc: true'));
  rowOf('must miss', 'option compile.weightSharing', PART, compile('weightSharing: false'));
  for (const option of ['profile: balanced', 'domain: signed', 'system: linux', 'folder: /opt/other', 'spillFillMb: 16', 'stopSequences: [Amen]']) rowOf('must miss', `option package.${option.split(':')[0] ?? ''}`, ['package'], pack(option));
  rowOf('must miss', 'option convert.rotaryEmbedding', ['convert', ...PART], (text) => `${text}convert: { rotaryEmbedding: operation }\n`);
  const WEIGHTS_ONLY = 'quantize: { recipe: minmax, activations: none, weights: { scheme: per_channel } }\nconvert: { precision: fp16 }';
  rowOf('must miss', 'option convert.precision, and the weights that it needs', EVERYTHING.slice(2), (text) => text.replace(/quantize: .*/, WEIGHTS_ONLY));
  rowOf('must miss', 'toolchain', ['transform', 'convert', 'compile', 'package'], (text) => text.replace('toolchain: qairt\nchipset: sm8750\n', '').replace(/compile:.*\npackage:.*\n/, ''));
  row('must miss', 'a second chip, and of its parts alone', async () => {
    const model = base.copy();
    model.edit('recipe.yaml', (text) => text.replace('sm8750', '[sm8750, sm8650]'));
    const ran = await model.build();
    expect(model.entries('compile')).toHaveLength(base.entries('compile').length + 1);
    model.remove();
    return expectRan(ran, PART);
  });

  rowOf('must hit', 'another name of the chip', [], (text) => text.replace('sm8750', 'Snapdragon 8 Elite'));
  rowOf('must hit', 'defaults of the device', [], (text) => text.replace('compile: { vtcmMb: 8 }', 'convert: { rotaryEmbedding: composed, precision: codes }\ncompile: { optimizationLevel: 3, weightSharing: true, dlbc: false }').replace('package: { profile: burst }', ''));

  const other = real[1];
  if (other !== undefined) {
    row('must miss', 'build of the libraries', async () => {
      const model = base.copy();
      process.env['QAIRT_LIB_DIR'] = other[1].folder;
      const ran = await model.build().finally(() => delete process.env['QAIRT_LIB_DIR']);
      model.remove();
      return expectRan(ran, ['convert', 'compile', 'package']);
    });
  }
  row('must hit', 'a machine without the libraries', async () => {
    const model = base.copy();
    const empty = mkdtempSync(join(tmpdir(), 'tundish-no-libraries-'));
    const kept = process.env['XDG_CACHE_HOME'];
    process.env['XDG_CACHE_HOME'] = empty;
    try {
      const found = expectRan(await model.build(), []);
      model.edit('recipe.yaml', compile('optimizationLevel: 2'));
      await expect(model.build()).rejects.toThrow(/QAIRT_LIBRARY_MISSING/);
      return found;
    } finally {
      if (kept === undefined) delete process.env['XDG_CACHE_HOME'];
      else process.env['XDG_CACHE_HOME'] = kept;
      rmSync(empty, { recursive: true });
      model.remove();
    }
  });
  row('must hit', 'the folder of the libraries', async () => {
    const model = base.copy();
    const moved = mkdtempSync(join(tmpdir(), 'tundish-libraries-'));
    for (const name of ['onnxruntime_qnn', 'onnxruntime_qnn.libs']) cpSync(join(dirname(folder), name), join(moved, name), { recursive: true });
    process.env['QAIRT_LIB_DIR'] = join(moved, 'onnxruntime_qnn');
    const ran = await model.build().finally(() => {
      delete process.env['QAIRT_LIB_DIR'];
      rmSync(moved, { recursive: true });
    });
    model.remove();
    return expectRan(ran, []);
  });
});
