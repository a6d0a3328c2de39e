/** The cache server against nginx serving the same files, on this machine in the same run. */
import { recordMachine } from '../machine.mjs';
import { largeBodies } from './large-bodies.mjs';
import { manyEntries } from './many-entries.mjs';
import { smallReads } from './small-reads.mjs';

export const measurements = { 'large bodies': largeBodies, 'small reads': smallReads, 'many entries': manyEntries };

export const atBothEnds = recordMachine;
