/** Real places for remote caches: a folder, a small HTTP server over one, an S3-compatible server. */
import { createReadStream, createWriteStream, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import { afterAll } from 'vitest';

const folders: string[] = [];
const closing: (() => Promise<void> | void)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tundish-remote-')));
  folders.push(folder);
  return folder;
}

export function folderPlace(): { readonly folder: string; readonly address: string } {
  const folder = temporaryFolder();
  return { folder, address: pathToFileURL(folder).href };
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A server that answers as it is told. */
export async function httpServer(answer: Answer): Promise<string> {
  const server: Server = createServer(answer);
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket.on('close', () => sockets.delete(socket))));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that keeps what it gets in a folder; the first body under a name stays. */
export function keeping(folder: string, onRequest: (request: IncomingMessage) => void = () => undefined): Answer {
  return (request, response) => {
    onRequest(request);
    const path = join(folder, request.url ?? '');
    if (request.method === 'PUT') return void receive(request, response, path);
    if (!existsSync(path)) return void response.writeHead(404, { 'content-length': 0 }).end();
    response.writeHead(200, { 'content-length': statSync(path).size });
    if (request.method === 'HEAD') response.end();
    else createReadStream(path).pipe(response);
  };
}

async function receive(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
  if (existsSync(path)) {
    request.resume();
    return void response.writeHead(409).end('it is there already');
  }
  mkdirSync(dirname(path), { recursive: true });
  await pipeline(request, createWriteStream(path)).then(() => response.writeHead(200).end(), () => rmSync(path, { force: true }));
}

interface S3rver {
  run(): Promise<AddressInfo>;
  close(): Promise<void>;
}

/** @param bucket made empty */
export async function s3Place(bucket: string): Promise<string> {
  // The credentials that this server knows.
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' });
  const { default: Server } = (await import('s3rver')) as { default: new (options: object) => S3rver };
  const server = new Server({ address: '127.0.0.1', port: 0, silent: true, directory: temporaryFolder(), configureBuckets: [{ name: bucket }] });
  const { port } = await server.run();
  closing.push(() => server.close());
  return `s3://${bucket}/team/cache?region=us-east-1&endpoint=${encodeURIComponent(`http://127.0.0.1:${port}`)}&pathStyle=true`;
}
