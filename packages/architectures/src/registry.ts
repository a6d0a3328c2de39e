/** All architectures by Hugging Face model_type; a new one is a file and a line here. */
import { printable } from '@tundish/diagnostics';
import type { Architecture } from './architecture.js';
import { architectureError } from './errors.js';
import { llama } from './llama.js';

export const architectures: ReadonlyMap<string, Architecture> = new Map([llama].map((architecture) => [architecture.modelType, architecture]));

/** @throws ARCHITECTURE_UNKNOWN, listing the known ones */
export function architectureFor(modelType: string): Architecture {
  const architecture = architectures.get(modelType);
  if (architecture !== undefined) return architecture;
  throw architectureError('ARCHITECTURE_UNKNOWN', {
    what: `no architecture is known for model_type ${printable(modelType)}`,
    why: `the known ones are: ${[...architectures.keys()].join(', ')}`,
    fix: 'docs/adding-an-architecture.md says how to add one',
  });
}
