/** The host passes the suite of the port. */
import { afterAll, describe, it } from 'vitest';
import { toolchainConformance } from '@tundish/toolchain/conformance';
import { hostToolchain } from '../src/index.js';

toolchainConformance('host', hostToolchain, { describe, it, afterAll });
