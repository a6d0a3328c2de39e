/** The programs and libraries that builds use: versions, and whether they are there. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TundishError, messageOf, printable } from '@tundish/diagnostics';
import { loadKernels } from '@tundish/native';
import { hostToolchain } from '@tundish/toolchain-host';
import { SUPPORTED_BUILDS, describeLibraries, findLibraries } from '@tundish/toolchain-qairt';
import { qairtPlaces } from '../environment.js';
import { type Finding, finding } from './finding.js';

/** What `engines` of the packages ask for. */
const LEAST_NODE = [20, 19, 0] as const;

export function nodeFinding(version: string = process.versions.node): Finding {
  const numbers = version.split('.').map(Number);
  const differs = LEAST_NODE.findIndex((least, i) => numbers[i] !== least);
  const isEnough = differs === -1 || (numbers[differs] ?? 0) > (LEAST_NODE[differs] ?? 0);
  return finding('node', version, isEnough ? undefined : { status: 'problem', fix: `install node ${LEAST_NODE.join('.')} or later` });
}

/** Models are built with Nx or without it, so that its absence is no problem. */
export function nxFinding(workspaceRoot: string): Finding {
  try {
    const path = createRequire(join(workspaceRoot, 'package.json')).resolve('nx/package.json');
    return finding('nx', (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version);
  } catch {
    return finding('nx', 'not installed in this workspace', { status: 'warning', fix: 'npm install --save-dev nx @tundish/nx, to build with npx nx run MODEL:compile' });
  }
}

/** The toolchain that needs nothing but npm. */
export async function hostFinding(): Promise<Finding> {
  try {
    const { version, machine, operators } = await hostToolchain().identity();
    return finding('toolchain host', `${[version, machine, operators].filter(Boolean).join(', ')}: can be built here`);
  } catch (error) {
    const fix = error instanceof TundishError ? error.fix : undefined;
    return finding('toolchain host', `cannot be built here: ${printable(messageOf(error).split('\n', 1)[0] ?? '')}`, { status: 'problem', fix: fix ?? 'run npm ci' });
  }
}

/** The vendor's libraries: which are used, and what they can do. Models for this machine need none, so that their absence is a fact. */
export async function qairtFinding(): Promise<Finding> {
  const name = 'QAIRT libraries';
  try {
    const [libraries] = findLibraries(qairtPlaces());
    if (libraries === undefined) return finding(name, 'not installed: npx tundish toolchain install qairt --accept-licence');
    const { buildId, release, coreApi, htpApi, systemApi, genieApi, origin, capabilities } = await describeLibraries(libraries);
    const versions = [`core ${coreApi}`, `HTP ${htpApi}`, ...(systemApi === null ? [] : [`System ${systemApi}`]), ...(genieApi === null ? [] : [`Genie ${genieApi}`])].join(', ');
    const value = `${printable(buildId)} (${versions}) from ${origin === 'installed' ? `wheel ${libraries.installation?.version ?? ''}` : origin}: can ${capabilities.join(', ')}`;
    return finding(name, value, release === null ? { status: 'warning', fix: `this build has not been tested; those that were: ${SUPPORTED_BUILDS.map((build) => build.release).join(', ')}` } : undefined);
  } catch (error) {
    const fix = error instanceof TundishError ? error.fix : undefined;
    return finding(name, `cannot be used: ${printable(messageOf(error).split('\n', 1)[0] ?? '')}`, { status: 'warning', fix: fix ?? 'npx tundish toolchain list says more' });
  }
}

/** The kernels, and what would be needed to compile them where they are missing. */
export async function kernelFindings(): Promise<Finding[]> {
  const kernels = loadKernels();
  const { implementation, version, isa } = kernels.identity();
  const isNative = implementation === 'native';
  const [cmake, compiler] = await Promise.all([versionOf(['cmake']), versionOf(['c++', 'g++', 'clang++'])]);
  const tool = (name: string, found: string | undefined, install: string): Finding =>
    found === undefined ? finding(name, 'not installed', isNative ? undefined : { status: 'warning', fix: install }) : finding(name, found);
  return [
    isNative
      ? finding('native kernels', `${version}, ${isa}`)
      : finding('native kernels', `none, TypeScript computes, several times slower: ${printable(kernels.reason ?? '')}`, { status: 'warning', fix: 'node native/build.mjs, or npx nx build native' }),
    tool('cmake', cmake, 'install cmake 3.18 or later'),
    tool('C++ compiler', compiler, 'install g++ or clang++ with C++20'),
  ];
}

/** First line of `--version` of the first command that is there. */
async function versionOf(commands: readonly string[]): Promise<string | undefined> {
  for (const command of commands) {
    const found = await promisify(execFile)(command, ['--version'], { timeout: 5000 }).catch(() => undefined);
    if (found !== undefined) return `${command}: ${printable(found.stdout.split('\n', 1)[0] ?? '')}`;
  }
  return undefined;
}
