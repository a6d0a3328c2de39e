/** Holds load, quantize and the compiled container against the checkpoint; the same as `tundish evaluate`. */
import type { ExecutorContext } from '@nx/devkit';
import type { EvaluateOptions as EvaluateRequest } from '@tundish/cli';
import { threadsOf } from '../../environment.js';
import { guarded } from '../guard.js';
import { requireRunnableModel } from '../runnable.js';

export type EvaluateOptions = Partial<Omit<EvaluateRequest, 'workspaceRoot' | 'modelRoot' | 'signal'>> & { readonly model: string };

export default function evaluateExecutor({ model, ...options }: EvaluateOptions, context: ExecutorContext): Promise<{ success: boolean }> {
  return guarded(async (signal) => {
    requireRunnableModel(model, context);
    const request = { workspaceRoot: context.root, modelRoot: model };
    const { evaluateCommand, processIo } = await import('@tundish/cli');
    await evaluateCommand({ ...options, ...request, threads: options.threads ?? threadsOf(), json: options.json ?? false, signal }, processIo);
  });
}
