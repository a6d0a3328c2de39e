/** The architectures of GGUF files that can be imported, by their `general.architecture`. */
import { printable } from '@tundish/diagnostics';
import { fault } from '../errors.js';
import { planLlama } from './llama.js';
import type { ImportPlan } from './planned-tensor.js';
import type { GgufHeader } from './read-header.js';

const PLANNERS: ReadonlyMap<string, (header: GgufHeader) => Promise<ImportPlan>> = new Map([['llama', planLlama]]);

/** @throws TundishError GGUF_ARCHITECTURE_UNKNOWN, and whatever the architecture says of the file */
export async function planImport(header: GgufHeader, allowed: readonly string[] = [...PLANNERS.keys()]): Promise<ImportPlan> {
  const planner = PLANNERS.get(header.architecture);
  if (planner !== undefined && allowed.includes(header.architecture)) return planner(header);
  const known = [...PLANNERS.keys()].filter((name) => allowed.includes(name));
  throw fault('GGUF_ARCHITECTURE_UNKNOWN', {
    what: `${header.path}: architecture ${printable(header.architecture, 60)} cannot be imported; known: ${known.join(' ')}`,
    evidence: { path: header.path, detail: 'key general.architecture' },
    fix: 'Take a model of a known architecture.',
  });
}
