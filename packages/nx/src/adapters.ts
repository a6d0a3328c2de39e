/** The toolchains that stages run with; what they load, they load when it is first used. */
import { printable } from '@tundish/diagnostics';
import type { Adapters } from '@tundish/stages/pipeline';
import { hostReference, hostToolchain } from '@tundish/toolchain-host';
import { nxError } from './errors.js';

export const adapters: Adapters = {
  toolchain: (name) => {
    if (name === 'host') return hostToolchain();
    throw nxError('NX_TOOLCHAIN_UNKNOWN', { what: `no toolchain is called ${printable(name)}`, fix: 'known toolchains: host' });
  },
  reference: hostReference,
};
