/** Quantizes the checkpoint of a model by several recipes and measures each; the same as `tundish compare`. */
import type { ExecutorContext } from '@nx/devkit';
import type { CompareOptions as CompareRequest } from '@tundish/cli';
import { threadsOf } from '../../environment.js';
import { guarded } from '../guard.js';
import { requireRunnableModel } from '../runnable.js';

export type CompareOptions = Partial<Omit<CompareRequest, 'workspaceRoot' | 'modelRoot' | 'recipes' | 'signal'>> & Pick<CompareRequest, 'recipes'> & { readonly model: string };

export default function compareExecutor({ model, ...options }: CompareOptions, context: ExecutorContext): Promise<{ success: boolean }> {
  return guarded(async (signal) => {
    requireRunnableModel(model, context);
    const request = { workspaceRoot: context.root, modelRoot: model };
    const { compareCommand, processIo } = await import('@tundish/cli');
    await compareCommand({ ...options, ...request, threads: options.threads ?? threadsOf(), json: options.json ?? false, signal }, processIo);
  });
}
