/** The host passes the suite of the port, with operators of its own and with standard ones only. */
import { afterAll, describe, it } from 'vitest';
import { toolchainConformance } from '@tundish/toolchain/conformance';
import { hostToolchain } from '../src/index.js';

toolchainConformance('host', hostToolchain, { describe, it, afterAll });
toolchainConformance('host, standard operators', () => hostToolchain({ operators: 'standard' }), { describe, it, afterAll });
