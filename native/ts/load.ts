/** Chooses who computes: the addon at a given path, the built addon, or TypeScript; a fallback always says why. */
import { builtAddonPath, KERNEL_VERSION, openAddon } from './addon.js';
import type { Addon, NativeIsa } from './addon.js';
import { checkedKernels } from './checked-kernels.js';
import { kernelError } from './errors.js';
import type { KernelIdentity, Kernels } from './kernels.js';
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
  const { native, identity, reason } = choose(options);
  return checkedKernels(native?.addon.kernels(native.isa) ?? typescriptKernels, identity, reason);
}

/** Variants of the addon that this machine can run, best first; empty without an addon. */
export function variants(path: string = builtAddonPath()): readonly NativeIsa[] {
  const opened = openAddon(path);
  return 'addon' in opened ? opened.addon.variants : [];
}

interface Choice {
  /** Undefined when TypeScript computes. */
  readonly native?: { readonly addon: Addon; readonly isa: NativeIsa };
  readonly identity: KernelIdentity;
  /** Why TypeScript computes although an addon was allowed. */
  readonly reason: string | undefined;
}

function choose({ allow = 'any', path = builtAddonPath(), isa: asked }: LoadOptions): Choice {
  const typescript: KernelIdentity = { implementation: 'typescript', version: KERNEL_VERSION, isa: 'typescript' };
  if (allow === 'typescript') return { identity: typescript, reason: undefined };
  const opened = openAddon(path);
  let reason: string;
  if ('addon' in opened) {
    const { addon } = opened;
    const isa = asked ?? addon.variants[0];
    if (isa !== undefined && addon.variants.includes(isa)) return { native: { addon, isa }, identity: { implementation: 'native', version: KERNEL_VERSION, isa }, reason: undefined };
    reason = `variant ${isa} cannot run on this machine, which has ${addon.variants.join(', ')}`;
  } else {
    reason = opened.reason;
  }
  if (allow === 'any') return { identity: typescript, reason };
  throw kernelError('KERNEL_UNAVAILABLE', {
    what: 'the compiled kernels cannot be loaded',
    why: reason,
    evidence: { path },
    fix: 'build them with `node native/build.mjs` (needs cmake and a C++20 compiler), or allow the TypeScript kernels',
  });
}
