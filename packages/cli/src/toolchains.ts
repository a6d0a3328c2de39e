/** The toolchains that this installation has, by name. What they load, they load when it is first used. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { printable } from '@tundish/diagnostics';
import type { Adapters } from '@tundish/stages/pipeline';
import type { Toolchain } from '@tundish/toolchain';
import { hostReference, hostToolchain } from '@tundish/toolchain-host';
import { findLibraries, qairtToolchain, qairtVersion } from '@tundish/toolchain-qairt/toolchain';
import { qairtPlaces } from './environment.js';
import { cliError } from './errors.js';

const MAKERS: Readonly<Record<string, () => Toolchain>> = { host: hostToolchain, qairt: () => qairtToolchain(qairtPlaces) };

/** The names that `toolchainNamed` knows. */
export const TOOLCHAINS: readonly string[] = Object.keys(MAKERS);

/** @throws CLI_TOOLCHAIN_UNKNOWN */
export function toolchainNamed(name: string): Toolchain {
  const make = Object.hasOwn(MAKERS, name) ? MAKERS[name] : undefined;
  if (make !== undefined) return make();
  throw cliError('CLI_TOOLCHAIN_UNKNOWN', { what: `no toolchain is called ${printable(name)}`, fix: `known toolchains: ${TOOLCHAINS.join(', ')}` });
}

/** Version of an installed toolchain as the lock pins it, read without loading its libraries; undefined where the vendor's are not on this machine. @throws CLI_TOOLCHAIN_UNKNOWN */
export async function toolchainVersion(name: string): Promise<string | undefined> {
  if (toolchainNamed(name).name === 'host') return hostVersion();
  const [libraries] = findLibraries(qairtPlaces());
  return libraries === undefined ? undefined : qairtVersion(libraries);
}

function hostVersion(): string {
  const host = createRequire(import.meta.resolve('@tundish/toolchain-host'));
  const { version } = JSON.parse(readFileSync(host.resolve('onnxruntime-node/package.json'), 'utf8')) as { version: string };
  return `onnxruntime ${version}`;
}

export const adapters: Adapters = { toolchain: toolchainNamed, reference: hostReference };
