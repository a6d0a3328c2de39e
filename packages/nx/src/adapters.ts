/** The toolchains that stages run with. Most stages use none, so a toolchain is loaded when it is first asked for. */
import { createRequire } from 'node:module';
import { printable } from '@tundish/diagnostics';
import type { Adapters } from '@tundish/stages';
import type * as Host from '@tundish/toolchain-host';
import { nxError } from './errors.js';

const require = createRequire(import.meta.url);
const host = (): typeof Host => require('@tundish/toolchain-host') as typeof Host;

export const adapters: Adapters = {
  toolchain: (name) => {
    if (name === 'host') return host().hostToolchain();
    throw nxError('NX_TOOLCHAIN_UNKNOWN', { what: `no toolchain is called ${printable(name)}`, fix: 'known toolchains: host' });
  },
  reference: () => host().hostReference(),
};
