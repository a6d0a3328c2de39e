/** The toolchains that stages run with; loaded with the first stage that runs, never by the plugin. */
import { printable } from '@tundish/diagnostics';
import type { Adapters } from '@tundish/stages';
import { hostReference, hostToolchain } from '@tundish/toolchain-host';
import { nxError } from './errors.js';

export const adapters: Adapters = {
  toolchain: (name) => {
    if (name === 'host') return hostToolchain();
    throw nxError('NX_TOOLCHAIN_UNKNOWN', { what: `no toolchain is called ${printable(name)}`, fix: 'known toolchains: host' });
  },
  reference: hostReference,
};
