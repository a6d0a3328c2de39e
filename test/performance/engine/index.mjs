/** The figures of the build engine. */
import { verbs } from './verbs.mjs';

export const measurements = { verbs };
