/** Versions of the installed toolchains, for the lock. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { printable } from '@tundish/diagnostics';
import { nxError } from './errors.js';

/** Version of an installed toolchain as the lock pins it, read without loading its libraries. @throws NX_TOOLCHAIN_UNKNOWN */
export function toolchainVersion(name: string): Promise<string> {
  if (name !== 'host') throw nxError('NX_TOOLCHAIN_UNKNOWN', { what: `no toolchain is called ${printable(name)}`, fix: 'known toolchains: host' });
  const host = createRequire(import.meta.resolve('@tundish/toolchain-host'));
  const { version } = JSON.parse(readFileSync(host.resolve('onnxruntime-node/package.json'), 'utf8')) as { version: string };
  return Promise.resolve(`onnxruntime ${version}`);
}
