/** All architectures by Hugging Face model_type; a new one is a file, a line here and its name in model-types. */
import { printable } from '@tundish/diagnostics';
import type { Architecture } from './architecture.js';
import { architectureError } from './errors.js';
import { llama } from './llama.js';
import type { ModelType } from './model-types.js';

const BY_TYPE: Readonly<Record<ModelType, Architecture>> = { llama };

export const architectures: ReadonlyMap<string, Architecture> = new Map(Object.entries(BY_TYPE));

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
