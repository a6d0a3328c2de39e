/** Opens what a verb is to run with our own runner. */
import { type Session, openContainer } from '@tundish/runtime';
import type { Reporter } from '@tundish/diagnostics';
import { type RunnableOptions, runnableContainer } from './executable-container.js';
import { toolchainNamed } from './toolchains.js';

/** @throws the errors of `runnableContainer` and `openContainer` */
export async function openRunnable(options: RunnableOptions, reporter: Reporter): Promise<Session> {
  const { folder } = await runnableContainer(options, reporter);
  return openContainer(folder, { toolchain: toolchainNamed, threads: options.threads, reporter });
}
