/** The toolchains that this installation has, by name. Libraries load when a toolchain is first used. */
import { printable } from '@tundish/diagnostics';
import type { Adapters } from '@tundish/stages';
import type { Toolchain } from '@tundish/toolchain';
import { hostReference, hostToolchain } from '@tundish/toolchain-host';
import { cliError } from './errors.js';

/** The names that `toolchainNamed` knows. */
export const TOOLCHAINS: readonly string[] = ['host'];

/** @throws CLI_TOOLCHAIN_UNKNOWN */
export function toolchainNamed(name: string): Toolchain {
  if (name === 'host') return hostToolchain();
  throw cliError('CLI_TOOLCHAIN_UNKNOWN', { what: `no toolchain is called ${printable(name)}`, fix: `known toolchains: ${TOOLCHAINS.join(', ')}` });
}

export const adapters: Adapters = { toolchain: toolchainNamed, reference: hostReference };
