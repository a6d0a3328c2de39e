/** Which modules make the bytes of each stage: where the walk over its code begins. */
import { builtAddonPath } from '@tundish/native/addon';
import type { StageName } from '@tundish/recipe/lock';
import type { Adapters } from '../stage.js';
import type { CodeDigests } from './code-digests.js';

/** Entry modules: the stage, what puts its files into a manifest, and the code of the adapters that it calls. */
export function stageModules(stage: StageName, toolchainName: string, adapters: Adapters): URL[] {
  const own = [`../${stage}/stage.js`, '../publish.js'].map((path) => new URL(path, import.meta.url));
  return [...own, ...adapterModules(stage, toolchainName, adapters)];
}

/** sha256 of the compiled kernels, which quantize loads as a library; `absent` where they are not built. */
export function kernelDigest(code: CodeDigests): Promise<string> {
  return code.fileDigest(builtAddonPath());
}

function adapterModules(stage: StageName, toolchainName: string, adapters: Adapters): readonly URL[] {
  switch (stage) {
    case 'quantize':
      return adapters.reference().modules;
    case 'convert':
    case 'compile':
    case 'package':
      return adapters.toolchain(toolchainName).modules[stage];
    default:
      return [];
  }
}
