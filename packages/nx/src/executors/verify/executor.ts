/** Has the vendor's runtime accept the bundle of a model for a device; the same as `tundish accept`. */
import type { ExecutorContext } from '@nx/devkit';
import type { AcceptOptions } from '@tundish/cli';
import { threadsOf } from '../../environment.js';
import { nxError } from '../../errors.js';
import { guarded } from '../guard.js';
import { requireRunnableModel } from '../runnable.js';

export type VerifyOptions = Partial<Omit<AcceptOptions, 'workspaceRoot' | 'modelRoot' | 'prompts' | 'signal'>> & { readonly model: string; readonly prompt?: readonly string[] };

export default function verifyExecutor({ model, prompt, ...options }: VerifyOptions, context: ExecutorContext): Promise<{ success: boolean }> {
  return guarded(async (signal) => {
    requireRunnableModel(model, context);
    const { ACCEPTANCE, acceptCommand, processIo } = await import('@tundish/cli');
    const code = await acceptCommand({ ...options, workspaceRoot: context.root, modelRoot: model, prompts: prompt ?? ACCEPTANCE.prompts, maxTokens: options.maxTokens ?? ACCEPTANCE.maxTokens, threads: options.threads ?? threadsOf(), json: options.json ?? false, signal }, processIo);
    if (code !== 0) throw nxError('NX_NOT_ACCEPTED', { what: `${model} is not accepted`, why: 'the lint of its bundle finds something, or a token of the vendor\'s runtime is another than ours: see above' });
  });
}
