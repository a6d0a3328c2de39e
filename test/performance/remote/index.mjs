/** The cache server against nginx serving the same files, on this machine in the same run. */
import { recordMachine } from '../machine.mjs';
import { coldClone } from './cold-clone.mjs';
import { largeBodies } from './large-bodies.mjs';
import { manyEntries } from './many-entries.mjs';
import { smallReads } from './small-reads.mjs';

export const measurements = { 'large bodies': largeBodies, 'small reads': smallReads, 'many entries': manyEntries, 'cold clone': coldClone };

export const atBothEnds = recordMachine;
