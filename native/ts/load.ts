/** Chooses who computes: the addon at a given path, the built addon, or TypeScript; a fallback always says why. */
import { builtAddonPath, KERNEL_VERSION, openAddon } from './addon.js';
import type { NativeIsa } from './addon.js';
import { checkedKernels } from './checked-kernels.js';
import { kernelError } from './errors.js';
import type { Kernels } from './kernels.js';
import { typescriptKernels } from './typescript/index.js';

export interface LoadOptions {
  /** Addon to load in place of the built one. */
  readonly path?: string;
  /** `any` falls back to TypeScript with a `reason`; `native` throws when there is no addon. Default `any`. */
  readonly allow?: 'native' | 'typescript' | 'any';
  /** Variant of the addon; default is the best one of this machine. */
  readonly isa?: NativeIsa;
}

/** @throws KERNEL_UNAVAILABLE when `allow` is `native` and no addon (or not the asked variant) can be loaded */
export function loadKernels(options: LoadOptions = {}): Kernels {
  const allow = options.allow ?? 'any';
  if (allow === 'typescript') return typescriptOnly(undefined);
  const path = options.path ?? builtAddonPath();
  const opened = openAddon(path);
  let reason: string;
  if ('addon' in opened) {
    const { addon } = opened;
    const isa = options.isa ?? addon.variants[0];
    if (isa !== undefined && addon.variants.includes(isa)) {
      return checkedKernels(addon.kernels(isa), { implementation: 'native', version: KERNEL_VERSION, isa }, undefined);
    }
    reason = `variant ${isa} cannot run on this machine, which has ${addon.variants.join(', ')}`;
  } else {
    reason = opened.reason;
  }
  if (allow === 'any') return typescriptOnly(reason);
  throw kernelError('KERNEL_UNAVAILABLE', {
    what: 'the compiled kernels cannot be loaded',
    why: reason,
    evidence: { path },
    fix: 'build them with `node native/build.mjs` (needs cmake and a C++20 compiler), or allow the TypeScript kernels',
  });
}

/** Variants of the addon that this machine can run, best first; empty without an addon. */
export function variants(path: string = builtAddonPath()): readonly NativeIsa[] {
  const opened = openAddon(path);
  return 'addon' in opened ? opened.addon.variants : [];
}

function typescriptOnly(reason: string | undefined): Kernels {
  return checkedKernels(typescriptKernels, { implementation: 'typescript', version: KERNEL_VERSION, isa: 'typescript' }, reason);
}
