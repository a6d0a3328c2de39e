/** Opens a compiled addon and checks that it speaks this package's version before anybody calls it. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { messageOf, printable } from '@tundish/diagnostics';
import type { Isa, RawKernels } from './kernels.js';
import type { MultiplyCodes, ProductIsa } from './code-products.js';
import type { OnnxRuntime } from './onnx-runtime.js';

/** Version of the kernels' numerics and of the calls into the addon; src/version.h carries the same text. */
export const KERNEL_VERSION = 'tundish-kernels-10';

export type NativeIsa = Exclude<Isa, 'typescript'>;

/** What tundish.node exports. */
export interface Addon {
  readonly version: string;
  /** Variants that this machine can run, best first. */
  readonly variants: readonly NativeIsa[];
  kernels(isa: NativeIsa): RawKernels;
  /** Variants of the exact products that this machine can run, best first. */
  readonly productVariants: readonly ProductIsa[];
  readonly multiplyCodes: MultiplyCodes;
  /** Throws with the words of the loader or of the library. */
  openOnnxRuntime(library: string): OnnxRuntime;
}

export type OpenedAddon = { readonly addon: Addon } | { readonly reason: string };

/** Where native/build.mjs puts the addon for this machine. */
export function builtAddonPath(): string {
  return fileURLToPath(new URL(`../build/${process.platform}-${process.arch}/tundish.node`, import.meta.url));
}

/** Never throws: an addon that is missing, broken or of another version is reported as a reason. */
export function openAddon(path: string): OpenedAddon {
  if (!existsSync(path)) return { reason: `no addon at ${printable(path)}; build it with \`node native/build.mjs\`` };
  let loaded: unknown;
  try {
    loaded = createRequire(import.meta.url)(path);
  } catch (error) {
    return { reason: `the addon at ${printable(path)} does not load: ${printable(messageOf(error))}` };
  }
  if (!isAddon(loaded)) return { reason: `${printable(path)} is not a Tundish addon` };
  if (loaded.version !== KERNEL_VERSION) {
    return { reason: `the addon at ${printable(path)} is version ${printable(loaded.version)}, this package needs ${KERNEL_VERSION}; rebuild it` };
  }
  return { addon: loaded };
}

function isAddon(value: unknown): value is Addon {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Partial<Addon>;
  return typeof fields.version === 'string' && Array.isArray(fields.variants) && typeof fields.kernels === 'function';
}
