/** What enters a stage's key beside its options and inputs; known without loading the stage, so that a hit is cheap. */
import type { LockStages, StageName } from '@tundish/recipe/lock';
import type { CodeDigests } from './code/code-digests.js';
import { kernelDigest } from './code/stage-code.js';
import type { Adapters } from './stage.js';

/** Files of the checkpoint that a container carries as they are. */
export const CARRIED_FILES: readonly string[] = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'chat_template.jinja'];

const READS_SOURCE: Readonly<Partial<Record<StageName, (file: string) => boolean>>> = {
  load: (file) => file !== 'chat_template.jinja' && file !== 'special_tokens_map.json',
  quantize: (file) => file.startsWith('tokenizer') || file === 'special_tokens_map.json',
  package: (file) => CARRIED_FILES.includes(file),
};

/** Whether the stage reads this file of the checkpoint itself; weights it reaches through `load` are not meant. */
export function readsSource(stage: StageName, file: string): boolean {
  return READS_SOURCE[stage]?.(file) ?? false;
}

/** What computes, for the one stage whose bytes depend on it: the kernels as they were built, the engine, the instruction set. */
export async function numericProfile(stage: StageName, adapters: Adapters, options: unknown, code: CodeDigests): Promise<string | undefined> {
  if (stage !== 'quantize' || (options as LockStages['quantize']['options']) === 'none') return undefined;
  const { loadKernels } = await import('@tundish/native');
  const { version, machine } = await adapters.reference().identity();
  const kernels = loadKernels().identity();
  const addon = kernels.implementation === 'native' ? ` ${await kernelDigest(code)}` : '';
  return `${kernels.version}${addon}; ${version}; ${machine}`;
}
