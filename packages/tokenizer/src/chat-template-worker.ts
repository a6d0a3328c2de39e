/** The thread that renders a chat template: whatever the template does, it can be ended from outside. */
import { parentPort } from 'node:worker_threads';
import { Template } from '@huggingface/jinja';

export interface RenderRequest {
  readonly template: string;
  readonly context: Readonly<Record<string, unknown>>;
}

export type RenderReply = { readonly text: string } | { readonly error: string };

let parsed: { readonly source: string; readonly template: Template } | undefined;

parentPort?.on('message', ({ template: source, context }: RenderRequest) => {
  let reply: RenderReply;
  try {
    if (parsed?.source !== source) parsed = { source, template: new Template(source) };
    reply = { text: parsed.template.render(context) };
  } catch (error) {
    reply = { error: error instanceof Error ? error.message : String(error) };
  }
  parentPort?.postMessage(reply);
});
