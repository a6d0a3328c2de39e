/** Generates text from the container; the same as `tundish generate`. */
import { join } from 'node:path';
import type { ExecutorContext } from '@nx/devkit';
import type { GenerateOptions as GenerateRequest } from '@tundish/cli';
import { threadsOf } from '../../environment.js';
import { ensureContainer } from '../../run/container.js';
import { guarded } from '../guard.js';
import { requireRunnableModel } from '../runnable.js';

export type GenerateOptions = Partial<Omit<GenerateRequest, 'container' | 'model' | 'signal' | 'ids'>> & { readonly model: string; readonly prompt: string };

export default function generateExecutor({ model, ...options }: GenerateOptions, context: ExecutorContext): Promise<{ success: boolean }> {
  return guarded(async (signal) => {
    requireRunnableModel(model, context);
    const container = await ensureContainer({ workspaceRoot: context.root, modelRoot: model, signal });
    const { generateCommand, lineIo, processIo } = await import('@tundish/cli');
    const request = { ...options, container: join(context.root, container.folder), model: { workspaceRoot: context.root, modelRoot: model }, threads: options.threads ?? threadsOf(), json: options.json ?? false, signal };
    // A terminal shows each token as it comes; through a pipe Nx would put every one on a line of its own.
    if (process.stdout.isTTY) return void (await generateCommand(request, processIo));
    const lines = lineIo(processIo);
    await generateCommand(request, lines).finally(() => lines.flush());
  });
}
