/** The figures of the build engine: what it writes, what it repeats, and what doing nothing costs. `1b` needs 9 GB of disk. */
import { bytes } from './bytes.mjs';
import { modelSize } from './model-size.mjs';
import { nxJson, restore } from './restore.mjs';
import { verbs } from './verbs.mjs';

export const measurements = { bytes, restore, 'nx.json': nxJson, verbs, '1b no-op and digests': modelSize };
