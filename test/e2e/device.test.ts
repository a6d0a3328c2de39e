/** A model for a phone's processor, built with the real nx and the vendor's libraries: compiled, run where it can run, and broken. */
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Manifest, readContainer } from '@tundish/container';
import { readSidecar } from '@tundish/store';
import { inspectContextBinary, lintBundle, readBundle, bundleBinary } from '@tundish/toolchain-qairt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith, realLibraries } from '../../packages/toolchain-qairt/test/real-libraries.js';
import { CHECKPOINT, type Finished, NxWorkspace, REPOSITORY } from './nx-workspace.js';

const real = realLibraries();
const CONTAINER = 'models/phone/artifacts/container';
const RECIPE = readFileSync(join(REPOSITORY, 'models/llama32-htp/recipe.yaml'), 'utf8').replace('../llama32/checkpoint', './checkpoint');

/** More tokens than the largest pass takes. */
const TWO_PASSES = 'In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was upon the face of the deep. And the Spirit of God moved upon the face of the waters. And';

interface Generated {
  readonly ids: readonly number[];
  readonly text: string;
}

describeWith(real.slice(0, 1), 'a model for a device, with %s', (_title, libraries) => {
  const workspace = new NxWorkspace({
    'nx.json': '{ "analytics": false, "neverConnectToCloud": true, "parallel": 2, "plugins": ["@tundish/nx/plugin"] }\n',
    'package-lock.json': '{ "name": "e2e", "lockfileVersion": 3, "packages": {} }\n',
    'models/phone/recipe.yaml': RECIPE,
    'models/phone/project.json': '{ "name": "phone" }\n',
  });
  const path = (...steps: string[]): string => join(workspace.root, ...steps);

  let built: Finished;
  beforeAll(async () => {
    cpSync(CHECKPOINT, path('models/phone/checkpoint'), { recursive: true, filter: (file) => !/golden|protocol|reference/.test(file.slice(CHECKPOINT.length)) });
    await workspace.install();
    built = await workspace.nx(['run', 'phone:compile']);
    expect(built.output).toContain('Successfully ran target compile');
  });
  afterAll(() => workspace.remove());

  it('is built once, by one command', async () => {
    expect(Object.values(workspace.ran([]))).toHaveLength(23);
    const runs = workspace.runs();
    const again = await workspace.nx(['run', 'phone:compile']);
    expect(again.output).toMatch(/23 out of 24 tasks/);
    expect(workspace.ran(runs)).toEqual({});
  });

  it('needs no more memory than was declared, the processes of the compiler included', () => {
    const cache = path('.tundish/cache/phone');
    const measured = readdirSync(cache).filter((name) => name.startsWith('compile_')).map((name) => readSidecar(join(cache, name)).memory);
    expect(measured).toHaveLength(2);
    for (const memory of measured) {
      expect(memory.measured).toBeGreaterThan(4e8);
      expect(memory.measured).toBeLessThan(memory.declared as number);
    }
  });

  it('has what was asked for in its binaries, and a bundle without a finding', async () => {
    const { manifest } = await readContainer(path(CONTAINER));
    expect(manifest.toolchain).toMatchObject({ name: 'qairt', machine: '' });
    for (const part of [1, 2]) {
      const binary = await inspectContextBinary(path(CONTAINER, `part${part}_of_2.bin`), libraries);
      expect(binary).toMatchObject({ socModel: 69, hexagon: 79 });
      expect(binary.graphs.map(({ name }) => name).sort()).toEqual(['ar1_cl256', 'ar1_cl512', 'ar32_cl256', 'ar32_cl512'].map((name) => `${name}_${part}_of_2`));
      for (const { memory } of binary.graphs) expect(memory).toMatchObject({ vtcmBytes: 8 * 2 ** 20, optimizationLevel: 3 });
    }
    expect(lintBundle(await readBundle(path(CONTAINER), async (file) => bundleBinary(await inspectContextBinary(file, libraries))))).toEqual([]);
  });

  it('generates the same tokens in the emulator and in the simulation', async () => {
    const [emulator, host] = await Promise.all(['emulator', 'host'].map(async (place) => generated(await workspace.nx(['run', 'phone:generate', '--prompt', 'And God said', '--max-tokens', '16', '--json', '--on', place]))));
    expect(emulator?.ids).toHaveLength(16);
    expect(host?.ids).toEqual(emulator?.ids);
  });

  it('is accepted by the vendor\'s runtime, token for token', async () => {
    const { code, output } = await workspace.nx(['run', 'phone:verify', '--prompt', 'And God said', '--max-tokens', '12']);
    expect(output).toMatch(/rules, no finding/);
    expect(output).toMatch(/tokens {3}12 of 12 equal behind "And God said"/);
    expect(output).toMatch(/ar32_cl512_2_of_2: [\d.]+ MiB by its own estimate/);
    expect(code).toBe(0);
    const genie = generated(await workspace.tundish(['generate', '--model', 'models/phone', '--on', 'genie', '--prompt', 'And God said', '--max-tokens', '12', '--json']));
    const ours = generated(await workspace.tundish(['generate', '--model', 'models/phone', '--prompt', 'And God said', '--max-tokens', '12', '--json']));
    expect(genie).toMatchObject({ ids: ours.ids, text: ours.text });
  });

  it('in half precision gives the tokens of the vendor\'s runtime, and those of the simulation', async () => {
    workspace.write({
      'models/half/recipe.yaml': `checkpoint: ../phone/checkpoint
toolchain: qairt
chipset: sm8750
graphs: { ar: [1, 32], cl: [256], parts: 2 }
quantize: { recipe: minmax, activations: none, weights: { scheme: per_channel, bits: 4 } }
convert: { precision: fp16 }
`,
      'models/half/project.json': '{ "name": "half" }\n',
    });
    expect((await workspace.tundish(['build', 'models/half'])).output).toMatch(/container: models\/half\/artifacts\/container/);
    const { code, output } = await workspace.tundish(['accept', 'models/half', '--prompt', 'And God said', '--prompt', TWO_PASSES, '--max-tokens', '12']);
    expect(output).toMatch(/rules, no finding/);
    expect(output.match(/tokens {3}12 of 12 equal/g)).toHaveLength(2);
    expect(code).toBe(0);
    const { manifest } = await readContainer(path('models/half/artifacts/emulator'));
    const tensors = manifest.parts.flatMap(({ graphs }) => graphs.flatMap(({ inputs, outputs }) => [...inputs, ...outputs]));
    expect(new Set(tensors.map(({ name, dtype }) => `${dtype} ${name === 'input_ids' ? 'ids' : 'others'}`))).toEqual(new Set(['int32 ids', 'float16 others']));
    expect(manifest.maskValue).toBe(-10_000);
    const [emulator, host] = await Promise.all(['emulator', 'host'].map(async (place) => generated(await workspace.tundish(['generate', '--model', 'models/half', '--prompt', 'And God said', '--max-tokens', '12', '--json', '--on', place]))));
    expect(emulator?.ids).toHaveLength(12);
    expect(host?.ids).toEqual(emulator?.ids);
    rmSync(path('models/half'), { recursive: true });
  });

  it('is measured where it is said to be', async () => {
    const { output } = await workspace.tundish(['evaluate', 'models/phone', '--limit', '1', '--stage', 'package', '--on', 'emulator', '--json']);
    const [result] = JSON.parse(output.slice(output.indexOf('[\n'))) as { subject: string; meanKl: number }[];
    expect(result).toMatchObject({ subject: 'container on emulator' });
  });

  it('refuses to run shared weights here, and says what does', async () => {
    const { code, output } = await workspace.tundish(['generate', CONTAINER, '--prompt', 'And']);
    expect(code).toBe(3);
    expect(output).toMatch(/QAIRT_BINARY_SHARED[^]*--on emulator/);
  });

  it('gives several chips a container each, from one quantization', async () => {
    workspace.write({ 'models/phone/recipe.yaml': RECIPE.replace('chipset: sm8750', 'chipset: [sm8750, sc8380xp]') });
    const runs = workspace.runs();
    const { output } = await workspace.nx(['run', 'phone:compile']);
    workspace.write({ 'models/phone/recipe.yaml': RECIPE });
    expect(output).toContain('Successfully ran target compile');
    // Nx asks again for the parts of the first chip, whose list grew; the store has them.
    expect(workspace.ran(runs)).toEqual({ package: 'run', 'part1of2-sc8380xp:compile': 'run', 'part2of2-sc8380xp:compile': 'run', 'part1of2-sm8750:compile': 'cached', 'part2of2-sm8750:compile': 'cached' });
    const chips = await Promise.all(['sm8750', 'sc8380xp'].map(async (chip) => (await inspectContextBinary(path(CONTAINER, chip, 'part1_of_2.bin'), libraries)).socModel));
    expect(chips).toEqual([69, 60]);
    expect(((await readContainer(path(CONTAINER, 'sc8380xp'))).manifest satisfies Manifest).parts).toHaveLength(2);
    const binary = path(CONTAINER, 'sc8380xp/part1_of_2.bin');
    const whole = readFileSync(binary);
    rmSync(binary);
    writeFileSync(binary, Buffer.from(whole).fill(7, whole.length - 64));
    const { code, output: damage } = await workspace.tundish(['verify', 'phone']);
    expect(code).toBe(1);
    expect(damage).toMatch(/damaged {2}\S*container\/sc8380xp\/part1_of_2\.bin/);
  });

  describe('broken', () => {
    /** Builds with another recipe in this workspace, over the same cache, and without Nx. */
    async function build(recipe: string, environment: Readonly<Record<string, string>> = {}): Promise<Finished> {
      workspace.write({ 'models/phone/recipe.yaml': recipe });
      return workspace.tundish(['build', 'models/phone'], undefined, environment).finally(() => workspace.write({ 'models/phone/recipe.yaml': RECIPE }));
    }

    it('a shape that the compiler cannot make is one error, and the rest is kept', async () => {
      // No kernel turns 64 rows of 32 columns: only a compile finds out.
      const { code, output } = await build(RECIPE.replace('[1, 32]', '[1, 64]').replace('[256, 512]', '[256]'));
      expect(code).toBe(3);
      expect(output).toMatch(/QAIRT_OPERATION_UNSUPPORTED: the compiler cannot make/);
      expect(output.match(/QAIRT_/g)).toHaveLength(1);
      expect(readdirSync(path('.tundish/cache')).filter((name) => name.includes('scratch'))).toEqual([]);
      expect((await build(RECIPE)).output).toMatch(/0 run, 23 cached/);
    });

    it('libraries that are missing, none at all, or of another build', async () => {
      const empty = mkdtempSync(join(tmpdir(), 'tundish-no-libraries-'));
      const changed = RECIPE.replace('quantize:', 'compile: { optimizationLevel: 2 }\nquantize:');
      expect((await build(changed, { XDG_CACHE_HOME: empty })).output).toMatch(/QAIRT_LIBRARY_MISSING[^]*toolchain install qairt/);
      // What reads binaries back is gone.
      const broken = join(empty, 'broken', 'onnxruntime_qnn');
      mkdirSync(broken, { recursive: true });
      // Copies: the loader looks beside the file that a link leads to.
      cpSync(join(dirname(libraries.folder), 'onnxruntime_qnn.libs'), join(empty, 'broken', 'onnxruntime_qnn.libs'), { recursive: true });
      copyFileSync(join(libraries.folder, 'libQnnHtp.so'), join(broken, 'libQnnHtp.so'));
      const { code, output } = await build(changed, { QAIRT_LIB_DIR: broken });
      expect(code).toBe(3);
      expect(output).toMatch(/QAIRT_LIBRARY_MISSING: [^]*libQnnSystem/);
      const other = real[1];
      if (other !== undefined) expect((await workspace.tundish(['build', 'models/phone', '--frozen-lock'], undefined, { QAIRT_LIB_DIR: other[1].folder })).output).toMatch(/CLI_LOCK_STALE/);
      rmSync(empty, { recursive: true });
    });

    it('a compiler that is killed is one error, leaves nothing, and the next build ends what is left', async () => {
      const changed = RECIPE.replace('quantize:', 'compile: { optimizationLevel: 1 }\nquantize:');
      const building = build(changed);
      process.kill(await compilerOf(workspace.root), 'SIGKILL');
      const { code, output } = await building;
      expect(code).toBe(3);
      expect(output).toMatch(/QAIRT_KILLED: the process that calls the vendor's libraries was killed/);
      expect(readdirSync(path('models/phone/artifacts'))).toEqual(['container', 'emulator', 'simulation']);
      expect((await build(changed)).output).toMatch(/[23] run, 2[01] cached/);
    });

    it('a binary that is cut short is found before it runs', async () => {
      const copy = path('copy');
      cpSync(path('models/phone/artifacts/emulator'), copy, { recursive: true });
      const binary = join(copy, 'part2_of_2.bin');
      copyFileSync(binary, `${binary}.whole`);
      rmSync(binary);
      writeFileSync(binary, readFileSync(`${binary}.whole`));
      truncateSync(binary, 1_000_000);
      expect((await workspace.tundish(['generate', copy, '--prompt', 'And'])).output).toMatch(/CONTAINER_FILE_SIZE: part2_of_2\.bin/);
      rmSync(copy, { recursive: true });
    });
  });
});

/** The process of a build in this workspace that has the vendor's libraries, as soon as there is one. */
async function compilerOf(root: string): Promise<number> {
  const program = join(root, 'node_modules/@tundish/toolchain-qairt/dist/child/main.js');
  for (;;) {
    const found = readdirSync('/proc').find((id) => /^\d+$/.test(id) && commandLine(id).includes(program) && readFileSync(`/proc/${id}/maps`, 'utf8').includes('libQnnHtp.so'));
    if (found !== undefined) return Number(found);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function commandLine(id: string): string {
  try {
    return readFileSync(`/proc/${id}/cmdline`, 'utf8');
  } catch {
    // It has ended.
    return '';
  }
}

function generated({ output }: Finished): Generated {
  return JSON.parse(/^\{\n {2}"prompt"[^]*?^\}$/m.exec(output)?.[0] ?? 'null') as Generated;
}
