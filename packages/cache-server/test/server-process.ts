/** A real server in a process of its own, on a port that is free; what it answered is held against its own description. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256 } from '@tundish/store';
import { expect } from 'vitest';

const COMMAND = fileURLToPath(new URL('../bin/tundish-cache.js', import.meta.url));
const FAULTS = fileURLToPath(new URL('disk-faults.mjs', import.meta.url));

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A token by name: the word that is sent. */
export interface TokenSpec {
  readonly name: string;
  readonly scope: 'read' | 'read-write';
  readonly namespace?: string;
}

export const tokenOf = (name: string): string => `secret-of-${name}`;

export class ServerProcess {
  readonly folder: string;
  output = '';
  url = '';
  #child: ChildProcess | undefined;
  #exit: Promise<Exit> = Promise.resolve({ code: null, signal: null });

  constructor() {
    this.folder = realpathSync(mkdtempSync(join(tmpdir(), 'tundish-cache-')));
  }

  get root(): string {
    return join(this.folder, 'entries');
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  writeTokens(tokens: readonly TokenSpec[]): string {
    const path = join(this.folder, 'tokens.json');
    const entries = tokens.map(({ name, scope, namespace }) => ({ name, sha256: sha256(tokenOf(name)), scope, trust: namespace === undefined ? 'trusted' : 'untrusted', ...(namespace === undefined ? {} : { namespace }) }));
    writeFileSync(path, JSON.stringify(entries));
    return path;
  }

  /** What the disk does from now on to paths that contain these words. */
  setFaults(faults: { readonly slow?: string; readonly broken?: string }): void {
    writeFileSync(join(this.folder, 'faults.json'), JSON.stringify(faults));
  }

  async start(...flags: readonly string[]): Promise<this> {
    const child = spawn(process.execPath, ['--import', FAULTS, COMMAND, '--dir', this.root, '--port', '0', ...flags], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, FAULTS: join(this.folder, 'faults.json') } });
    this.#child = child;
    this.output = '';
    this.#exit = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
    await new Promise<void>((resolve, reject) => {
      const read = (chunk: Buffer): void => {
        this.output += chunk.toString();
        const [, url] = /listens at (\S+):? /.exec(this.output) ?? [];
        if (url === undefined) return;
        this.url = url.replace(/:$/, '');
        resolve();
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read);
      child.once('close', () => reject(new Error(this.output)));
    });
    return this;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  ended(): Promise<Exit> {
    return this.#exit;
  }

  /** Ends it as an operator does; every answer that it gave must be one that it describes. */
  async stop(): Promise<void> {
    await this.expectDescribedAnswers();
    this.signal('SIGTERM');
    expect(await this.ended()).toEqual({ code: 0, signal: null });
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended();
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  request(path: string, options: RequestInit & { readonly token?: string } = {}): Promise<Response> {
    const { token, ...rest } = options;
    return fetch(this.url + path, { ...rest, headers: { ...(token === undefined ? {} : { authorization: `Bearer ${tokenOf(token)}` }), ...(rest.headers as Record<string, string> | undefined) } });
  }

  async status(path: string, options: RequestInit & { readonly token?: string } = {}): Promise<number> {
    const answer = await this.request(path, options);
    await answer.arrayBuffer();
    return answer.status;
  }

  put(path: string, body: Uint8Array<ArrayBuffer> | string, token?: string): Promise<number> {
    return this.status(path, { method: 'PUT', body, ...(token === undefined ? {} : { token }) });
  }

  async bytes(path: string, token?: string): Promise<Buffer> {
    return Buffer.from(await (await this.request(path, token === undefined ? {} : { token })).arrayBuffer());
  }

  /** Bodies and records below the folder, temporary files too; sorted. */
  files(): string[] {
    return readdirSync(this.root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && entry.name !== 'boot-id').map((entry) => join(entry.parentPath, entry.name).slice(this.root.length + 1)).sort();
  }

  fileOf(kind: 'cas' | 'ac' | 'nx', key: string, space = 'trusted'): string {
    return join(this.root, space, kind, kind === 'nx' ? key.slice(-2).padStart(2, '0') : key.slice(0, 2), key);
  }

  async metric(line: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return Number(text.split('\n').find((one) => one.startsWith(`${line} `))?.split(' ').at(-1) ?? NaN);
  }

  /** Highest resident memory so far, in MB. */
  peakMegabytes(): number {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]) / 1e3;
  }

  async expectDescribedAnswers(): Promise<void> {
    const { paths } = (await (await fetch(`${this.url}/openapi.json`)).json()) as { paths: Record<string, Record<string, { responses: object }>> };
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const seen = [...text.matchAll(/^tundish_cache_requests_total\{method="(\w+)",route="([^"]+)",status="(\d+)"\}/gm)];
    const unknown = seen.filter(([, method = '', route = '', status = '']) => route !== 'none' && !Object.hasOwn(paths[route.replace(/:(\w+)/, '{$1}')]?.[method.toLowerCase()]?.responses ?? {}, status));
    expect(unknown.map(([line]) => line)).toEqual([]);
  }
}

/** Whether a file is there, of any size. */
export function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
