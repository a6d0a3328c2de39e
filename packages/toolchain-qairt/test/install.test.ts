/** Installing from wheels that are made up, with the loopback library in them: what is refused, and that nothing stays behind. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type InstallRequest, type InstallResult, findLibraries, installLibraries, installedLibraries, licenceNotice, releaseOf, supportedBuild } from '@tundish/toolchain-qairt';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { requirePlatform } from '../src/libraries/platform.js';
import { buildLoopback } from './loopback/build-loopback.js';
import { onSmallDisk } from './small-disk.js';
import { metadata, writeWheel } from './wheel-file.js';

/** Elsewhere nothing is installed. */
const isHere = process.platform === 'linux' && process.arch === 'x64';

let scratch: string;
let installed: string;
let library: Buffer;

beforeAll(() => {
  if (!isHere) return;
  ensureAddon();
  scratch = mkdtempSync(join(tmpdir(), 'tundish-install-'));
  const loopback = buildLoopback();
  library = readFileSync(join(loopback, 'libQnnHtp.so'));
  rmSync(loopback, { recursive: true });
  writeWheel(wheel('whole'), wholeWheel());
});
afterAll(() => isHere && rmSync(scratch, { recursive: true, force: true }));
beforeEach(() => {
  if (isHere) installed = mkdtempSync(join(scratch, 'cache-'));
});

const wheel = (name: string): string => join(scratch, `${name}.whl`);

function wholeWheel(version = '2.7.0'): Record<string, Uint8Array | string> {
  return {
    [`onnxruntime_qnn-${version}.dist-info/METADATA`]: metadata(version),
    'onnxruntime_qnn/libQnnHtp.so': library,
    'onnxruntime_qnn/libHtpPrepare.so': library,
    'onnxruntime_qnn/libQnnSystem.so': library,
    'onnxruntime_qnn/Qualcomm_LICENSE.pdf': 'a licence',
    'onnxruntime_qnn.libs/libc++.so.1': 'a library beside',
    'other/secret.txt': 'not to be unpacked',
  };
}

function install(request: Partial<InstallRequest>): Promise<InstallResult> {
  return installLibraries({ installed, acceptLicence: true, signal: new AbortController().signal, ...request });
}

/** A pip of our own making. */
function pip(script: string): InstallRequest['pip'] {
  const path = join(installed, '..', `pip-${readdirSync(scratch).length}.sh`);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return [[path]];
}

async function isRefused(request: Partial<InstallRequest>, code: string, words: string): Promise<void> {
  await expect(install(request)).rejects.toMatchObject({ code, message: expect.stringContaining(words) as string });
  expect(readdirSync(installed)).toEqual([]);
}

describe.skipIf(!isHere)('a whole wheel', () => {
  it('is unpacked beside what it needs, with a record; a second time nothing is done', async () => {
    const first = await install({ wheel: wheel('whole') });
    expect(first).toMatchObject({ version: '2.7.0', buildId: 'v2.51.0.1', isNew: true });
    expect(readdirSync(installed)).toEqual(['2.7.0']);
    expect(readdirSync(join(installed, '2.7.0')).sort()).toEqual(['installed.json', 'onnxruntime_qnn', 'onnxruntime_qnn.libs']);
    expect(JSON.parse(readFileSync(join(installed, '2.7.0/installed.json'), 'utf8'))).toEqual({ version: '2.7.0', buildId: 'v2.51.0.1', wheelSha256: first.wheelSha256 });
    expect(await install({ wheel: wheel('whole') })).toMatchObject({ isNew: false, wheelSha256: first.wheelSha256 });
    // Neither a wheel nor pip is needed for what is there.
    expect(await install({ version: '2.7.0', pip: [['/absent']] })).toMatchObject({ isNew: false });
    expect(findLibraries({ named: [], installed })).toEqual([expect.objectContaining({ origin: 'installed', folder: first.libraries.folder })]);
  });

  it('that differs takes the place of the one before', async () => {
    await install({ wheel: wheel('whole') });
    writeWheel(wheel('other'), { ...wholeWheel(), 'onnxruntime_qnn/new.txt': 'new' });
    expect(await install({ wheel: wheel('other') })).toMatchObject({ isNew: true });
    expect(existsSync(join(installed, '2.7.0/onnxruntime_qnn/new.txt'))).toBe(true);
    expect(readdirSync(installed)).toEqual(['2.7.0']);
  });

  it('comes through pip, asked as every machine asks', async () => {
    const result = await install({ pip: pip(`echo "$@" > ${join(scratch, 'words')}; while [ "$1" != --dest ]; do shift; done; cp ${wheel('whole')} "$2/onnxruntime_qnn.whl"`) });
    expect(result.version).toBe('2.7.0');
    expect(readFileSync(join(scratch, 'words'), 'utf8')).toMatch(/^download .*--no-deps --only-binary=:all: --python-version 3\.12 --platform manylinux_2_35_x86_64 --dest \S+ onnxruntime-qnn==2\.7\.0\n$/);
  });

  it('is installed although somebody was killed in the middle, whose remains go', async () => {
    mkdirSync(join(installed, '.partial-999999999-abc/libraries'), { recursive: true });
    mkdirSync(join(installed, '2.7.0/onnxruntime_qnn'), { recursive: true });
    expect(installedLibraries(installed)).toEqual([]);
    expect(await install({ wheel: wheel('whole') })).toMatchObject({ isNew: true });
    expect(readdirSync(installed)).toEqual(['2.7.0']);
  });
});

describe.skipIf(!isHere)('refused, with nothing left behind:', () => {
  it('no yes to the licence, before anything is fetched', async () => {
    const fetched = join(scratch, 'fetched');
    await isRefused({ acceptLicence: false, pip: pip(`touch ${fetched}`) }, 'QAIRT_LICENCE', '--accept-licence');
    expect(existsSync(fetched)).toBe(false);
    expect(licenceNotice(supportedBuild())).toHaveLength(3);
    expect(licenceNotice(supportedBuild()).join(' ')).toMatch(/onnxruntime-qnn 2\.7\.0.*QAIRT 2\.51.*AI Stack License.*forbids/);
    expect(licenceNotice('a.whl').join(' ')).toMatch(/^a\.whl: .*AI Stack License.*forbids/);
  });

  it.each<[string, Record<string, Uint8Array | string>, string, string]>([
    ['a wheel of something else', { 'numpy-1.0.dist-info/METADATA': metadata('1.0', 'numpy'), 'numpy/a.py': '' }, 'QAIRT_WHEEL_WRONG', 'no metadata of onnxruntime-qnn'],
    ['metadata of another name', { 'onnxruntime_qnn-2.7.0.dist-info/METADATA': metadata('2.7.0', 'impostor') }, 'QAIRT_WHEEL_WRONG', 'no metadata'],
    ['a wheel without libraries', { 'onnxruntime_qnn-2.7.0.dist-info/METADATA': metadata('2.7.0'), 'onnxruntime_qnn/__init__.py': '' }, 'QAIRT_WHEEL_WRONG', 'it lacks libQnnHtp.so, libHtpPrepare.so, libQnnSystem.so'],
    ['a version that nobody tested', { 'onnxruntime_qnn-9.9.9.dist-info/METADATA': metadata('9.9.9') }, 'QAIRT_VERSION_UNKNOWN', '9.9.9'],
    ['libraries that are none', { 'onnxruntime_qnn-2.7.0.dist-info/METADATA': metadata('2.7.0'), ...Object.fromEntries(['libQnnHtp', 'libHtpPrepare', 'libQnnSystem'].map((name) => [`onnxruntime_qnn/${name}.so`, 'text'])) }, 'QAIRT_LIBRARY_INVALID', 'libQnnHtp.so'],
  ])('%s', async (title, entries, code, words) => {
    const path = wheel(title.replaceAll(' ', '-'));
    writeWheel(path, entries);
    await isRefused({ wheel: path }, code, words);
  });

  it('a damaged wheel, at any place', async () => {
    const whole = readFileSync(wheel('whole'));
    const cut = wheel('cut');
    writeFileSync(cut, whole);
    truncateSync(cut, whole.length - 10);
    await isRefused({ wheel: cut }, 'QAIRT_WHEEL_DAMAGED', 'cannot be unpacked');
    const flipped = wheel('flipped');
    const bytes = Buffer.from(whole);
    const inside = whole.indexOf('onnxruntime_qnn/libQnnHtp.so') + 5000;
    bytes[inside] = (bytes[inside] as number) ^ 0xff;
    writeFileSync(flipped, bytes);
    await isRefused({ wheel: flipped }, 'QAIRT_WHEEL_DAMAGED', 'cannot be unpacked');
    writeFileSync(wheel('text'), 'no archive');
    await isRefused({ wheel: wheel('text') }, 'QAIRT_WHEEL_DAMAGED', 'cannot be unpacked');
  });

  it('a wheel that is not there, and another version than asked for', async () => {
    await isRefused({ wheel: wheel('absent') }, 'QAIRT_FILE', 'ENOENT');
    await isRefused({ wheel: wheel('whole'), version: '2.5.0' }, 'QAIRT_WHEEL_WRONG', '2.5.0 was asked for');
    await isRefused({ version: '1.0.0' }, 'QAIRT_VERSION_UNKNOWN', '2.7.0, 2.5.0, 2.3.0');
  });

  it('no pip, no network, no such version, no room', async () => {
    await isRefused({ pip: [['/absent/pip'], ['/absent/pip3']] }, 'QAIRT_PIP_MISSING', '--wheel FILE');
    await isRefused({ pip: pip('echo "python: No module named pip" >&2; exit 1') }, 'QAIRT_PIP_MISSING', 'pip is not installed');
    await isRefused({ pip: pip('echo "Failed to establish a new connection: Temporary failure in name resolution" >&2; exit 1') }, 'QAIRT_DOWNLOAD', 'the package index cannot be reached');
    await isRefused({ pip: pip('echo "ERROR: No matching distribution found for onnxruntime-qnn==2.7.0" >&2; exit 1') }, 'QAIRT_DOWNLOAD', 'No matching distribution');
    await isRefused({ pip: pip('echo "OSError: [Errno 28] No space left on device" >&2; exit 1') }, 'QAIRT_DISK_FULL', 'no room');
  });

  it('a disk that is full', async ({ skip }) => {
    writeWheel(wheel('large'), { ...wholeWheel(), 'onnxruntime_qnn/large.bin': randomBytes(200_000) });
    const done = await onSmallDisk(async (disk) => {
      await expect(install({ installed: disk, wheel: wheel('large') })).rejects.toMatchObject({ code: 'QAIRT_DISK_FULL' });
      expect(readdirSync(disk)).toEqual([]);
    });
    skip(!done, 'mounting a small disk needs root');
  });

  it('a download that is cancelled', async () => {
    const cancel = new AbortController();
    const refused = isRefused({ pip: pip('exec sleep 60'), signal: cancel.signal }, 'QAIRT_CANCELLED', 'cancelled');
    setTimeout(() => cancel.abort(), 200);
    await refused;
  });
});

describe('a machine', () => {
  it.each([
    [{ platform: 'darwin', arch: 'arm64', glibc: undefined }, 'QAIRT_PLATFORM'],
    [{ platform: 'linux', arch: 'arm64', glibc: '2.36' }, 'QAIRT_PLATFORM'],
    [{ platform: 'linux', arch: 'x64', glibc: undefined }, 'QAIRT_PLATFORM'],
    [{ platform: 'linux', arch: 'x64', glibc: '2.31' }, 'QAIRT_GLIBC_OLD'],
  ])('%j cannot run the libraries', (machine, code) => {
    expect(() => requirePlatform(machine)).toThrow(expect.objectContaining({ code }) as Error);
  });

  it('with glibc 2.35 or later can', () => {
    for (const glibc of ['2.35', '2.36', '2.41', '3.0']) expect(() => requirePlatform({ platform: 'linux', arch: 'x64', glibc })).not.toThrow();
  });

  it.skipIf(!isHere)('uses what a variable names first, and never falls back from it in silence', async () => {
    const { libraries } = await install({ wheel: wheel('whole') });
    const named = (folder: string, isSdk: boolean) => [{ variable: isSdk ? 'QAIRT_SDK_ROOT' : 'QAIRT_LIB_DIR', folder, isSdk }];
    const sdk = join(installed, 'sdk');
    mkdirSync(join(sdk, 'lib/x86_64-linux-clang'), { recursive: true });
    writeFileSync(join(sdk, 'lib/x86_64-linux-clang/libQnnHtp.so'), library);
    expect(findLibraries({ named: named(sdk, true), installed }).map(({ origin }) => origin)).toEqual(['QAIRT_SDK_ROOT', 'installed']);
    expect(findLibraries({ named: named(libraries.folder, false), installed })[0]).toMatchObject({ origin: 'QAIRT_LIB_DIR', folder: libraries.folder });
    expect(() => findLibraries({ named: named(scratch, true), installed })).toThrow(/QAIRT_SDK_ROOT names a folder without/);
  });

  it('knows the releases that were tested', () => {
    expect([releaseOf('v2.51.0.260929181845'), releaseOf('v2.49.40.1'), releaseOf('v2.510.0'), releaseOf('v2.48.0.1')]).toEqual(['2.51', '2.49', undefined, undefined]);
  });
});
