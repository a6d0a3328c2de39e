/** The files of a bundle: content, equal bytes, refused facts, and the scripts as a shell runs them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chipByName } from '@tundish/recipe';
import { bundleFiles } from '../src/genie/bundle-files.js';
import type { BundlePlan } from '../src/genie/bundle-plan.js';
import { defaultCompileSettings, defaultDeviceSettings } from '../src/genie/default-settings.js';
import { lintBundle } from '../src/genie/lint/lint-bundle.js';
import { readBundle } from '../src/genie/read-bundle.js';
import { sampleBundle, samplePlan } from './sample-bundle.js';

const textOf = (plan: BundlePlan, path: string): string => new TextDecoder().decode(bundleFiles(plan).find((file) => file.path === path)?.bytes);
const jsonOf = (plan: BundlePlan, path: string): unknown => JSON.parse(textOf(plan, path));
const forChip = (name: string): BundlePlan => samplePlan({ chip: chipByName(name), compile: defaultCompileSettings(chipByName(name)), device: defaultDeviceSettings(chipByName(name), 'mini llama') });

describe('bundleFiles', () => {
  it('are these, with equal bytes each time', () => {
    const plan = samplePlan();
    const files = bundleFiles(plan);
    expect(files.map(({ path }) => path)).toEqual([
      'genie_config.json', 'htp_backend_ext_config.json', 'run.sh', 'htp_compile_config_1_of_2.json', 'htp_compile_config_2_of_2.json', 'specializations.json',
      'specializations_flat.json', 'metadata.json', 'tool-versions.yaml', 'run_list.txt', 'push.sh', 'README.md',
    ]);
    expect(bundleFiles(structuredClone(plan))).toEqual(files);
    expect(lintBundle(sampleBundle(plan))).toEqual([]);
  });

  it('name binaries, context, vocabulary and the rope of the checkpoint to Genie', () => {
    const { dialog } = jsonOf(samplePlan({ stopSequences: ['</s>'] }), 'genie_config.json') as { dialog: { context: object; 'stop-sequence': string[]; engine: { backend: object; model: { binary: object; 'positional-encoding': object } } } };
    expect(dialog.context).toEqual({ version: 1, size: 512, 'n-vocab': 4096, 'bos-token': 0, 'eos-token': 1 });
    expect(dialog['stop-sequence']).toEqual(['</s>']);
    expect(dialog.engine.backend).toMatchObject({ type: 'QnnHtp', extensions: 'htp_backend_ext_config.json', QnnHtp: { 'kv-dim': 32 } });
    expect(dialog.engine.model.binary).toEqual({ version: 1, 'ctx-bins': ['mini-llama_part_1_of_2.bin', 'mini-llama_part_2_of_2.bin'] });
    expect(dialog.engine.model['positional-encoding']).toEqual({ type: 'rope', 'rope-dim': 16, 'rope-theta': 500000, 'rope-scaling': { 'rope-type': 'llama3', factor: 8, 'low-freq-factor': 1, 'high-freq-factor': 4, 'original-max-position-embeddings': 256 } });
  });

  it('name chip, profile and domain to the backend', () => {
    expect(jsonOf(samplePlan(), 'htp_backend_ext_config.json')).toEqual({
      devices: [{ device_id: 0, soc_model: 69, dsp_arch: 'v79', pd_session: 'unsigned', cores: [{ core_id: 0, perf_profile: 'burst', rpc_control_latency: 100 }] }],
      memory: { mem_type: 'shared_buffer' },
      context: { weight_sharing_enabled: true },
    });
    const { device } = samplePlan();
    expect(jsonOf(samplePlan({ device: { ...device, profile: 'balanced', domain: 'signed' } }), 'htp_backend_ext_config.json')).toMatchObject({ devices: [{ pd_session: 'signed', cores: [{ perf_profile: 'balanced' }] }] });
  });

  it('say how each part was compiled', () => {
    const { compile } = samplePlan();
    expect(jsonOf(samplePlan(), 'htp_compile_config_2_of_2.json')).toMatchObject({ graphs: [{ graph_names: ['ar1_cl256_2_of_2', 'ar1_cl512_2_of_2', 'ar32_cl256_2_of_2', 'ar32_cl512_2_of_2'], O: 3, vtcm_mb: 8 }], context: [{ weight_sharing_enabled: true }] });
    const other = jsonOf(samplePlan({ compile: { ...compile, optimization: 2, vtcmMb: 4, dlbc: true, hvxThreads: 4, weightSharing: false } }), 'htp_compile_config_1_of_2.json');
    expect(other).toMatchObject({ graphs: [{ O: 2, vtcm_mb: 4, dlbc: 1, hvx_threads: 4 }], context: [{ weight_sharing_enabled: false }] });
  });

  it('describe graphs to other runtimes', () => {
    expect(jsonOf(samplePlan(), 'metadata.json')).toMatchObject({ model_id: 'mini-llama', runtime: 'genie', model_files: { ar32_cl512_2_of_2: { outputs: { logits: { shape: [1, 32, 4096], dtype: 'uint16' } } } } });
    expect(jsonOf(samplePlan(), 'specializations.json')).toMatchObject({ specializations: [{ name: 'Prefill_0' }, { name: 'Prefill_1' }, { name: 'Decode_0' }, { name: 'Decode_1' }] });
  });

  it('list what the device needs, by its chip', () => {
    expect(textOf(samplePlan(), 'run_list.txt')).toBe(`bundle required mini-llama_part_1_of_2.bin
bundle required mini-llama_part_2_of_2.bin
bundle required tokenizer.json
bundle required genie_config.json
bundle required htp_backend_ext_config.json
bundle required run.sh
sdk required lib/aarch64-android/libQnnHtp.so
sdk required lib/aarch64-android/libQnnHtpV79Stub.so
sdk required lib/aarch64-android/libQnnSystem.so
sdk required lib/aarch64-android/libQnnHtpNetRunExtensions.so
sdk required lib/aarch64-android/libGenie.so
sdk optional lib/aarch64-android/libQnnHtpPrepare.so
sdk required bin/aarch64-android/genie-t2t-run
sdk required lib/hexagon-v79/unsigned/libQnnHtpV79Skel.so
sdk optional lib/hexagon-v79/unsigned/libQnnHtpV79.so
`);
    expect(textOf(forChip('QCS9075'), 'run_list.txt')).toContain('sdk required lib/aarch64-oe-linux-gcc11.2/libQnnHtpV73Stub.so');
    const robot = samplePlan({ device: defaultDeviceSettings(chipByName('SM8750'), 'm', 'linux') });
    expect(textOf(robot, 'push.sh')).toContain('target=${1:-/opt/m}');
    expect(textOf(robot, 'run_list.txt')).toContain('lib/aarch64-oe-linux-gcc11.2/libQnnHtpV79Stub.so');
    const laptop = forChip('x-elite');
    expect(textOf(laptop, 'run_list.txt')).toContain('sdk required lib/hexagon-v73/unsigned/libqnnhtpv73.cat');
    expect(bundleFiles(laptop).map(({ path }) => path)).not.toContain('push.sh');
    expect(textOf(laptop, 'README.md')).toContain('genie-t2t-run.exe');
    expect(jsonOf(laptop, 'genie_config.json')).toMatchObject({ dialog: { engine: { backend: { QnnHtp: { 'use-mmap': false } } } } });
  });

  it('tell a reader what they are', () => {
    const text = textOf(samplePlan(), 'README.md');
    for (const fact of ['# mini-llama for SM8750', 'w4a16', 'SoC 69, Hexagon v79', 'qairt v2.51.0.260929181845', 'ar32_cl512_2_of_2', 'AR 1, 32, CL 256, 512', 'VTCM 8 MiB, O3, DLBC off', 'adb shell sh /data/local/tmp/mini-llama/run.sh', '`config.json`']) expect(text).toContain(fact);
  });

  const { parts, compile, device } = samplePlan();
  const refused: readonly (readonly [string, Partial<BundlePlan>, RegExp])[] = [
    ['no part', { parts: [] }, /at least one part/],
    ['no graph', { parts: parts.map((part) => ({ ...part, graphs: [] })) }, /at least one graph with an attention_mask/],
    ['a path that leads out', { tokenizer: '../tokenizer.json' }, /cannot be a path/],
    ['a path that a shell would read', { carried: ['a$(reboot).json'] }, /cannot be a path/],
    ['a path that an option would be', { carried: ['-rf'] }, /cannot be a path/],
    ['a path of two lines', { carried: ['a\nb'] }, /a\\u000ab cannot be a path/],
    ['two files of one name', { parts: parts.map((part) => ({ ...part, file: 'model.bin' })) }, /two files of the bundle are called model\.bin/],
    ['a file with the name of one that is made', { carried: ['README.md'] }, /two files of the bundle are called README\.md/],
    ['a folder that is not absolute', { device: { ...device, folder: 'data/x' } }, /folder on the device/],
    ['a folder that a shell would read', { device: { ...device, folder: "/data/'x" } }, /folder on the device/],
    ['more memory than the chip has', { compile: { ...compile, vtcmMb: 64 } }, /64 MiB of VTCM[^]*it has 8/],
    ['shared weights on v69', { chip: chipByName('SM8450') }, /cannot share weights on SM8450/],
  ];
  it.each(refused)('refuse %s', (_, change, message) => {
    expect(() => bundleFiles(samplePlan(change))).toThrow(/^GENIE_PLAN_INVALID/);
    expect(() => bundleFiles(samplePlan(change))).toThrow(message);
  });

  it('refuse what genie_config.json cannot say', () => {
    const plan = samplePlan();
    const yarn: BundlePlan = { ...plan, checkpoint: { ...plan.checkpoint, rope: { ...plan.checkpoint.rope, scaling: { type: 'yarn' } } } };
    expect(() => bundleFiles(yarn)).toThrow(/CONTAINER_GENIE_UNSUPPORTED[^]*yarn/);
    expect(() => bundleFiles({ ...plan, stopSequences: [''] })).toThrow(/a stop sequence is empty/);
  });
});

describe('on a disk', () => {
  let root = '';
  beforeEach(() => { root = mkdtempSync(join(tmpdir(), 'tundish bundle-')); });
  afterEach(() => { rmSync(root, { recursive: true }); });

  /** The bundle with its binaries, an SDK, and an adb that copies into `device`. */
  function written(): { bundle: string; sdk: string; run: (...args: string[]) => ReturnType<typeof spawnSync> } {
    const plan = samplePlan();
    const [bundle, sdk, bin] = ['bundle', 'the sdk', 'bin'].map((name) => join(root, name)) as [string, string, string];
    const put = (path: string, bytes: string | Uint8Array): void => { mkdirSync(dirname(path), { recursive: true }); writeFileSync(path, bytes); };
    for (const { path, bytes } of bundleFiles(plan)) put(join(bundle, path), bytes);
    for (const { file } of plan.parts) put(join(bundle, file), `bytes of ${file}`);
    put(join(bundle, plan.tokenizer), '{}');
    const listed = readFileSync(join(bundle, 'run_list.txt'), 'utf8').matchAll(/^sdk required (.*)$/gm);
    for (const [, path = ''] of listed) put(join(sdk, path), path.endsWith('genie-t2t-run') ? '#!/bin/sh\necho "$LD_LIBRARY_PATH|$ADSP_LIBRARY_PATH|$*"\n' : path);
    put(join(bin, 'adb'), `#!/bin/sh\ncase $1 in shell) exec sh -c "$2" ;; push) exec cp "$2" "$3" ;; esac\n`);
    chmodSync(join(bin, 'adb'), 0o755);
    const run = (...args: string[]): ReturnType<typeof spawnSync> => spawnSync('sh', ['push.sh', ...args], { cwd: bundle, encoding: 'utf8', input: 'must stay unread', env: { PATH: `${bin}:${process.env['PATH'] ?? ''}`, QAIRT_SDK_ROOT: sdk } });
    return { bundle, sdk, run };
  }

  it('push.sh brings everything into one folder, and run.sh runs it there', () => {
    const device = join(root, 'device');
    const { status, stderr, stdout } = written().run(device);
    expect([stderr, status]).toEqual(['', 0]);
    for (const name of ['genie_config.json', 'mini-llama_part_2_of_2.bin', 'tokenizer.json', 'libGenie.so', 'libQnnHtpV79Skel.so', 'genie-t2t-run']) expect(existsSync(join(device, name))).toBe(true);
    expect(existsSync(join(device, 'libQnnHtpPrepare.so'))).toBe(false);
    expect(stdout).toContain(`adb shell sh ${device}/run.sh`);
    const answer = execFileSync('sh', [join(device, 'run.sh'), '--prompt_file', 'a prompt.txt'], { encoding: 'utf8' });
    expect(answer).toBe(`${device}|${device}|-c genie_config.json --prompt_file a prompt.txt\n`);
  });

  it('push.sh pushes nothing when something is missing, and says what', () => {
    const { sdk, run } = written();
    rmSync(join(sdk, 'lib/hexagon-v79/unsigned/libQnnHtpV79Skel.so'));
    rmSync(join(sdk, 'lib/aarch64-android/libGenie.so'));
    const { status, stderr } = run(join(root, 'device'));
    expect(status).toBe(1);
    expect(stderr).toBe(`missing: ${sdk}/lib/aarch64-android/libGenie.so\nmissing: ${sdk}/lib/hexagon-v79/unsigned/libQnnHtpV79Skel.so\n`);
    expect(existsSync(join(root, 'device'))).toBe(false);
  });

  it('readBundle reads what the lint needs, and nothing outside of the folder', async () => {
    const { bundle } = written();
    const { binaries } = sampleBundle();
    const inspected: string[] = [];
    const inspect = async (path: string): Promise<NonNullable<ReturnType<typeof binaries.get>>> => {
      inspected.push(path);
      return binaries.get(path.slice(bundle.length + 1)) ?? { socModel: 0, graphs: [] };
    };
    expect(lintBundle(await readBundle(bundle, inspect))).toEqual([]);
    expect(inspected).toEqual([...binaries.keys()].map((file) => join(bundle, file)));

    writeFileSync(join(root, 'outside.bin'), 'x');
    symlinkSync(join(root, 'outside.bin'), join(bundle, 'link.bin'));
    const config = JSON.parse(readFileSync(join(bundle, 'genie_config.json'), 'utf8')) as { dialog: { engine: { model: { binary: Record<string, unknown> } } } };
    config.dialog.engine.model.binary['ctx-bins'] = ['../outside.bin', 'link.bin', join(root, 'outside.bin'), './mini-llama_part_1_of_2.bin'];
    writeFileSync(join(bundle, 'genie_config.json'), JSON.stringify(config));
    inspected.length = 0;
    const findings = lintBundle(await readBundle(bundle, inspect));
    expect(inspected).toEqual([join(bundle, 'mini-llama_part_1_of_2.bin')]);
    expect(findings.filter(({ code }) => code === 'GENIE_BINARY_MISSING')).toHaveLength(3);
  });

  it('readBundle refuses a folder that is none', async () => {
    await expect(readBundle(join(root, 'nowhere'), async () => ({ socModel: 0, graphs: [] }))).rejects.toThrow(/GENIE_BUNDLE_NOT_FOUND/);
    await expect(readBundle(root, async () => ({ socModel: 0, graphs: [] }))).rejects.toThrow(/GENIE_BUNDLE_NOT_FOUND/);
  });
});
