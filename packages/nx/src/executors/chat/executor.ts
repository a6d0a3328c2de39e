/** Talks with the container; the same as `tundish chat`. */
import { join } from 'node:path';
import type { ExecutorContext } from '@nx/devkit';
import type { ChatOptions as ChatRequest } from '@tundish/cli';
import { threadsOf } from '../../environment.js';
import { ensureContainer } from '../../run/container.js';
import { guarded } from '../guard.js';
import { requireRunnableModel } from '../runnable.js';

export type ChatOptions = Partial<Omit<ChatRequest, 'container' | 'model' | 'signal'>> & { readonly model: string };

export default async function chatExecutor({ model, ...options }: ChatOptions, context: ExecutorContext): Promise<{ success: boolean }> {
  let interrupted = false;
  const result = await guarded(async (signal) => {
    requireRunnableModel(model, context);
    const container = await ensureContainer({ workspaceRoot: context.root, modelRoot: model, signal });
    const { chatCommand, lineIo, processIo } = await import('@tundish/cli');
    const request = { ...options, container: join(context.root, container.folder), model: { workspaceRoot: context.root, modelRoot: model }, threads: options.threads ?? threadsOf(), json: options.json ?? false, signal };
    const lines = process.stdout.isTTY ? undefined : lineIo(processIo);
    interrupted = await chatCommand(request, lines ?? processIo).finally(() => lines?.flush());
  });
  // Nx knows success and failure only. A person who left with Ctrl-C gets what Ctrl-C gives everywhere else: 130 and no summary.
  if (interrupted && process.connected) process.kill(process.ppid, 'SIGINT');
  return { success: result.success && !interrupted };
}
