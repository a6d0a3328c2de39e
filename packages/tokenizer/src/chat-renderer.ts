/** Renders a chat template in a thread with a deadline and a memory limit, since templates come from strangers. */
import { Worker } from 'node:worker_threads';
import { printable } from '@tundish/diagnostics';
import type { RenderReply, RenderRequest } from './chat-template-worker.js';
import { fault } from './errors.js';

/** An honest template takes about a millisecond. */
const DEADLINE_MS = 2_000;
const HEAP_MIB = 64;
// Seen from src and from dist alike, the compiled thread lies in dist.
const WORKER = new URL('../dist/chat-template-worker.js', import.meta.url);

/** One thread, kept between calls; it does not keep the process alive. Calls are served one after another. */
export class ChatRenderer {
  private worker: Worker | undefined;
  private last: Promise<unknown> = Promise.resolve();

  /** @param path where the template comes from, for messages */
  constructor(
    private readonly template: string,
    private readonly path: string,
  ) {}

  /** @throws TundishError CHAT_TEMPLATE_FAILED, CHAT_TEMPLATE_LIMIT */
  render(context: Readonly<Record<string, unknown>>): Promise<string> {
    const result = this.last.then(() => this.renderNow(context));
    this.last = result.catch(() => undefined);
    return result;
  }

  private async renderNow(context: Readonly<Record<string, unknown>>): Promise<string> {
    const reply = await this.ask({ template: this.template, context });
    if ('text' in reply) return reply.text;
    throw fault('CHAT_TEMPLATE_FAILED', {
      what: `chat template ${this.path}: ${printable(reply.error)}`,
      evidence: { path: this.path },
      fix: 'Check the roles and the order of the messages against what the template accepts.',
    });
  }

  private async ask(request: RenderRequest): Promise<RenderReply> {
    const worker = (this.worker ??= await startWorker());
    return new Promise<RenderReply>((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer);
        worker.removeAllListeners();
        worker.unref();
        finish();
      };
      const stop = (limit: string): void =>
        settle(() => {
          this.worker = undefined;
          // A thread that is being ended may still fail; that is what was wanted.
          worker.on('error', () => undefined);
          void worker.terminate();
          reject(this.overLimit(limit));
        });
      const timer = setTimeout(() => stop(`${DEADLINE_MS} ms`), DEADLINE_MS);
      worker.on('message', (reply: RenderReply) => settle(() => resolve(reply)));
      worker.on('error', (error) => stop('code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? `${HEAP_MIB} MiB of memory` : printable(error.message)));
      worker.on('exit', () => stop('the life of its thread'));
      worker.ref();
      worker.postMessage(request);
    });
  }

  private overLimit(limit: string): Error {
    return fault('CHAT_TEMPLATE_LIMIT', {
      what: `chat template ${this.path} did not finish within ${limit}`,
      why: 'The template loops or builds too much text; it was stopped.',
      evidence: { path: this.path },
      fix: 'Give a chat_template.jinja of your own, or take the template from the original model.',
    });
  }
}

/** The deadline is for the template, so the start of the thread is waited for. */
async function startWorker(): Promise<Worker> {
  const worker = new Worker(WORKER, { env: {}, resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB } });
  await new Promise<void>((resolve, reject) => worker.once('online', resolve).once('error', reject));
  worker.removeAllListeners();
  return worker;
}
