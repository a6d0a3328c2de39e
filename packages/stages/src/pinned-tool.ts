/** The installed toolchain against the one that the lock pins. */
import type { TundishError } from '@tundish/diagnostics';
import type { Toolchain, ToolchainIdentity } from '@tundish/toolchain';
import { stageError } from './errors.js';
import type { ModelLayout } from './layout.js';

/** The identity that keys are made with: where nothing is installed, that of what the lock pins. @throws what the toolchain throws that cannot be used */
export async function identityFor(toolchain: Toolchain, pin: { readonly version: string }): Promise<ToolchainIdentity> {
  return toolchain.absent?.(pin.version) ?? toolchain.identity();
}

/** @returns what is wrong; undefined when the versions are one */
export function checkPin(layout: ModelLayout, pin: { readonly name: string; readonly version: string }, installed: ToolchainIdentity): TundishError | undefined {
  if (installed.version === pin.version) return undefined;
  return stageError('STAGE_TOOL_DIFFERS', {
    what: `${layout.model} is pinned to ${pin.name} ${pin.version}; installed is ${installed.version}`,
    evidence: { path: layout.lock },
    fix: 'install the pinned version, or write the lock again: npx nx g @tundish/nx:lock',
  });
}
