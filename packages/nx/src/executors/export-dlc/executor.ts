/** Writes every graph of a model for a device as a deep learning container; the same as `tundish export-dlc`. */
import type { ExecutorContext } from '@nx/devkit';
import type { ExportOptions as ExportRequest } from '@tundish/cli';
import { threadsOf } from '../../environment.js';
import { guarded } from '../guard.js';
import { requireRunnableModel } from '../runnable.js';

export type ExportOptions = Partial<Pick<ExportRequest, 'to' | 'threads' | 'json'>> & { readonly model: string };

export default function exportDlcExecutor({ model, ...options }: ExportOptions, context: ExecutorContext): Promise<{ success: boolean }> {
  return guarded(async (signal) => {
    requireRunnableModel(model, context);
    const { exportDlcCommand, processIo } = await import('@tundish/cli');
    await exportDlcCommand({ ...options, workspaceRoot: context.root, modelRoot: model, threads: options.threads ?? threadsOf(), json: options.json ?? false, signal }, processIo);
  });
}
