/** A remote cache behind HTTP, in the form that Bazel's caches have: `/cas/<sha256>` and `/ac/<key>`, GET, HEAD and PUT. */
import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { printable } from '@tundish/diagnostics';
import { ACTION_ENTRY_LIMIT, type BlobRef, type RemoteCache } from '@tundish/store';
import { remoteError } from './errors.js';
import { countedStream } from './file-bytes.js';

const CONNECTIONS = 8;
/** A smaller body is sent at once: to wait for the question takes longer than to send it in vain. */
const ASK_FROM_BYTES = 64 * 1024;
/** A server that does not know `Expect` says nothing: RFC 9110 lets a client go on. */
const CONTINUE_AFTER_MS = 1000;
/** Answers to a writer that may not: a token that only reads, no such method, too large, no room. */
const REFUSALS = new Set([403, 405, 413, 507]);
const REJECTIONS = new Set([400, 411, 422]);

interface Call {
  readonly method: 'GET' | 'HEAD' | 'PUT';
  readonly path: string;
  readonly signal: AbortSignal;
  readonly body?: { readonly length: number; readonly stream: () => Readable };
}

export class HttpBackend implements RemoteCache {
  readonly name: string;
  readonly #agent: HttpAgent;

  /** @param url without credentials and query */
  constructor(private readonly url: URL, private readonly token: string | undefined) {
    this.name = url.href.replace(/\/$/, '');
    this.#agent = url.protocol === 'https:' ? new HttpsAgent({ keepAlive: true, maxSockets: CONNECTIONS }) : new HttpAgent({ keepAlive: true, maxSockets: CONNECTIONS });
  }

  async hasBlob({ sha256, size }: BlobRef, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#answer({ method: 'HEAD', path: `cas/${sha256}`, signal });
    answer.resume();
    if (answer.statusCode === 404) return false;
    const length = answer.headers['content-length'];
    return length === undefined || Number(length) === size;
  }

  async readBlob({ sha256 }: BlobRef, signal: AbortSignal): Promise<Readable | undefined> {
    const answer = await this.#answer({ method: 'GET', path: `cas/${sha256}`, signal });
    if (answer.statusCode !== 404) return answer;
    answer.resume();
    return undefined;
  }

  writeBlob({ sha256, size }: BlobRef, path: string, signal: AbortSignal, onBytes?: (count: number) => void): Promise<'stored' | 'refused'> {
    return this.#put({ method: 'PUT', path: `cas/${sha256}`, signal, body: { length: size, stream: () => countedStream(path, onBytes) } });
  }

  async readEntry(key: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const answer = await this.#answer({ method: 'GET', path: `ac/${key}`, signal });
    if (answer.statusCode === 404) {
      answer.resume();
      return undefined;
    }
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > ACTION_ENTRY_LIMIT) throw unavailable(`it sent more than ${ACTION_ENTRY_LIMIT} bytes for an entry`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  writeEntry(key: string, bytes: Uint8Array, signal: AbortSignal): Promise<'stored' | 'refused'> {
    return this.#put({ method: 'PUT', path: `ac/${key}`, signal, body: { length: bytes.byteLength, stream: () => Readable.from([bytes]) } });
  }

  async #put(call: Call): Promise<'stored' | 'refused'> {
    const answer = await this.#exchange(call);
    const text = await firstLine(answer);
    const { statusCode: status = 0 } = answer;
    // 409: another writer was first, and what is there stays.
    if ((status >= 200 && status < 300) || status === 409) return 'stored';
    if (REFUSALS.has(status)) return 'refused';
    if (REJECTIONS.has(status)) throw remoteError('REMOTE_REJECTED', { what: `the remote cache answered ${status} to an upload`, why: text });
    throw unavailable(`it answered ${status} to an upload${text === '' ? '' : `: ${text}`}`, fixOf(status));
  }

  /** 200 or 404. */
  async #answer(call: Call): Promise<IncomingMessage> {
    const answer = await this.#exchange(call).catch((error: unknown) => {
      // The server may close an idle connection in the moment in which it is used again.
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET' || call.signal.aborted) throw error;
      return this.#exchange(call);
    });
    const { statusCode: status = 0, headers } = answer;
    if (status === 404) return answer;
    if (status === 200 && !/^text\/html/i.test(headers['content-type'] ?? '')) return answer;
    answer.destroy();
    throw unavailable(status === 200 ? 'it answered with a page of HTML' : `it answered ${status}`, fixOf(status));
  }

  #exchange({ method, path, signal, body }: Call): Promise<IncomingMessage> {
    const headers: OutgoingHttpHeaders = {
      ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
      ...(body === undefined ? { 'accept-encoding': 'identity' } : { 'content-type': path.startsWith('ac/') ? 'application/json' : 'application/octet-stream', 'content-length': body.length, ...(body.length < ASK_FROM_BYTES ? {} : { expect: '100-continue' }) }),
    };
    const send = this.url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const request = send(new URL(path, `${this.name}/`), { method, headers, agent: this.#agent, signal });
      request.on('error', reject);
      request.on('response', resolve);
      if (body === undefined) request.end();
      else sendWhenWanted(request, body, reject);
    });
  }
}

/** A body of gigabytes that the server will not have is not sent: it answers before it asks for it. */
function sendWhenWanted(request: ClientRequest, { length, stream: open }: NonNullable<Call['body']>, reject: (error: unknown) => void): void {
  let state: 'waiting' | 'sending' | 'over' = 'waiting';
  const start = (): void => {
    clearTimeout(timer);
    if (state !== 'waiting') return;
    state = 'sending';
    const stream = open();
    request.on('close', () => stream.destroy());
    request.on('response', () => stream.unpipe(request).destroy());
    stream.on('error', (error) => {
      reject(error);
      request.destroy();
    });
    stream.pipe(request);
  };
  const timer = setTimeout(start, CONTINUE_AFTER_MS);
  request.on('continue', start);
  request.on('response', () => {
    clearTimeout(timer);
    // What was not sent whole cannot be followed by another request.
    if (state === 'waiting') request.destroy();
    state = 'over';
  });
  request.on('close', () => clearTimeout(timer));
  if (length < ASK_FROM_BYTES) start();
  else request.flushHeaders();
}

async function firstLine(answer: IncomingMessage): Promise<string> {
  let text = '';
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      text += chunk.toString('utf8');
      if (text.length > 1000) break;
    }
  } catch {
    // The status has said what matters.
  }
  return printable(text.split('\n', 1)[0] ?? '', 200);
}

function unavailable(why: string, fix?: string): Error {
  return remoteError('REMOTE_UNAVAILABLE', { what: 'the server does not answer as a cache does', why, ...(fix === undefined ? {} : { fix }) });
}

function fixOf(status: number): string | undefined {
  return status === 401 ? 'set TUNDISH_REMOTE_CACHE_TOKEN to a token that the server knows' : undefined;
}
