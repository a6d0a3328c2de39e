/** Which ONNX Runtime is installed and on what machine, read from files: loading the library would cost every task time. */
import { readFile, readdir, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { OPERATORS, productVariants } from '@tundish/native';
import type { ToolchainIdentity } from '@tundish/toolchain';
import { hostError } from './errors.js';

/**
 * CPU features by which ONNX Runtime chooses kernels and the layout of prepacked weights, as /proc/cpuinfo spells them.
 */
const FEATURES = [
  'avx', 'avx2', 'fma', 'avx_vnni', 'avx512f', 'avx512bw', 'avx512dq', 'avx512vl', 'avx512_vnni', 'avx512_bf16', 'amx_int8', 'amx_bf16',
  'asimd', 'asimddp', 'i8mm', 'bf16', 'fphp', 'sve', 'sve2', 'sme',
] as const;

const SHARED_LIBRARY = /^libonnxruntime(\.so|[\d.]*\.dylib)/;

/** @throws HOST_RUNTIME_MISSING when the package or its library for this platform is not installed */
export async function hostIdentity(wanted: 'own' | 'standard'): Promise<ToolchainIdentity> {
  const { version, library } = await installedRuntime();
  const operators = wanted === 'own' && library !== undefined && productVariants().variants.length > 0 ? OPERATORS : '';
  return { name: 'host', version: `onnxruntime ${version}`, machine: `${process.platform}-${process.arch} ${await (processor ??= cpuClass())}`, operators };
}

/** What onnxruntime-node holds for this platform. */
export interface InstalledRuntime {
  readonly version: string;
  /** The shared library beside the binding; undefined on platforms whose library goes by another name. */
  readonly library: string | undefined;
}

/** Every unit asks: what was read stays true while the package.json is the same file, and a process keeps its processor. */
let installed: { readonly mark: string; readonly runtime: InstalledRuntime } | undefined;
let processor: Promise<string> | undefined;

/** @throws HOST_RUNTIME_MISSING */
export async function installedRuntime(): Promise<InstalledRuntime> {
  const manifest = manifestPath();
  const { size, mtimeMs } = await stat(manifest);
  const mark = `${manifest} ${size} ${mtimeMs}`;
  if (installed?.mark !== mark) installed = { mark, runtime: await runtimeOf(manifest) };
  return installed.runtime;
}

async function runtimeOf(manifest: string): Promise<InstalledRuntime> {
  const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string };
  const folder = join(dirname(manifest), 'bin');
  for (const variant of await readdir(folder).catch((): string[] => [])) {
    const own = join(folder, variant, process.platform, process.arch);
    const files = await readdir(own).catch((): string[] => []);
    const library = files.find((file) => SHARED_LIBRARY.test(file));
    if (files.includes('onnxruntime_binding.node')) return { version, library: library === undefined ? undefined : join(own, library) };
  }
  throw hostError('HOST_RUNTIME_MISSING', {
    what: `onnxruntime-node ${version} has no library for ${process.platform}-${process.arch}`,
    evidence: { path: folder },
    fix: 'build on a platform that onnxruntime-node supports',
  });
}

function manifestPath(): string {
  try {
    return createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  } catch (cause) {
    throw hostError('HOST_RUNTIME_MISSING', { what: 'onnxruntime-node is not installed', fix: 'run npm ci', cause });
  }
}

/** Feature list of the first core; where the system does not tell (macOS, Windows), the model of the CPU. */
async function cpuClass(): Promise<string> {
  const info = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(info)?.[1];
  if (line === undefined) return (cpus()[0]?.model ?? 'unknown').trim().replace(/\s+/g, '-');
  const flags = new Set(line.trim().split(/\s+/));
  return FEATURES.filter((feature) => flags.has(feature)).join('+') || 'baseline';
}
