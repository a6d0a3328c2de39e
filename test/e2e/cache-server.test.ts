/** The real Nx and our cache server: what one clone made another gets, and nothing that goes wrong in the server fails a run. */
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServerProcess, tokenOf } from '../../packages/cache-server/test/server-process.js';
import { type Finished, NxWorkspace } from './nx-workspace.js';

const FILES = {
  'nx.json': JSON.stringify({ targetDefaults: { make: { cache: true } } }),
  'a/project.json': JSON.stringify({ name: 'a', targets: { make: { command: 'node a/make.mjs', inputs: ['{projectRoot}/**/*'], outputs: ['{projectRoot}/out'] } } }),
  'a/make.mjs': `import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
const { size, link } = JSON.parse(readFileSync('a/input.json', 'utf8'));
console.log('the command ran');
rmSync('a/out', { recursive: true, force: true });
mkdirSync('a/out');
writeFileSync('a/out/result.bin', randomBytes(size));
if (link !== undefined) symlinkSync(link, 'a/out/link');
`,
  'a/input.json': JSON.stringify({ size: 10 }),
  '.gitignore': 'node_modules\n.nx/\na/out\n',
};

const server = new ServerProcess();
const [first, second] = [new NxWorkspace(FILES), new NxWorkspace(FILES)];
const tokens = [
  { name: 'main', scope: 'read-write' },
  { name: 'reader', scope: 'read' },
  { name: 'pr', scope: 'read-write', namespace: 'pr' },
] as const;
let machines = 0;

beforeAll(async () => {
  await server.start('--tokens', server.writeTokens(tokens), '--quota', '1MB', '--answer-timeout', '2');
  for (const workspace of [first, second]) {
    workspace.linkPackages();
    await workspace.commit();
  }
});
afterAll(async () => {
  await server.stop();
  await server.remove();
  await first.remove();
  await second.remove();
});

/** Runs the task as a machine that has no cache of its own. */
async function run(workspace: NxWorkspace, token: string): Promise<Finished> {
  machines += 1;
  const state = join(server.folder, `machine-${machines}`);
  return workspace.nx(['run', 'a:make', '--outputStyle=static'], { NX_SELF_HOSTED_REMOTE_CACHE_SERVER: server.url, NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN: tokenOf(token), NX_CACHE_DIRECTORY: join(state, 'cache'), NX_WORKSPACE_DATA_DIRECTORY: join(state, 'data') });
}

const HIT = '[remote cache]';
const result = (workspace: NxWorkspace): Buffer => readFileSync(join(workspace.root, 'a/out/result.bin'));
const archives = (): string[] => (existsSync(server.root) ? readdirSync(server.root, { recursive: true, withFileTypes: true }) : []).filter((entry) => entry.isFile() && entry.parentPath.includes('/nx/') && !entry.name.endsWith('.json')).map((entry) => join(entry.parentPath, entry.name));

/** A task with another hash. */
function change(workspace: NxWorkspace, input: { readonly size: number; readonly link?: string }): void {
  workspace.write({ 'a/input.json': JSON.stringify(input) });
}

async function expectRun(token = 'main'): Promise<void> {
  const { code, output } = await run(first, token);
  expect(output).toContain('the command ran');
  expect(output).not.toContain(HIT);
  expect(code).toBe(0);
}

describe('nx', () => {
  it('gets in one clone what another made', async () => {
    await expectRun();
    const { code, output } = await run(second, 'reader');
    expect([code, output]).toEqual([0, expect.stringContaining(HIT)]);
    expect(result(second).equals(result(first))).toBe(true);
  });

  it('does not get what an untrusted writer made', async () => {
    change(first, { size: 11 });
    await expectRun('pr');
    await expectRun('reader');
    expect((await run(first, 'pr')).output).toContain(HIT);
  });

  it('goes on with a wrong token, and with one that may only read', async () => {
    change(first, { size: 12 });
    const before = archives().length;
    await expectRun('unknown');
    await expectRun('reader');
    expect(archives().length).toBe(before);
  });

  it('goes on when there is no room', async () => {
    change(first, { size: 1_500_000 });
    await expectRun();
    expect(await server.metric('tundish_cache_refused_total{code="CACHE_QUOTA"}')).toBe(1);
  });

  it('goes on when its archive is refused', async () => {
    change(first, { size: 13, link: '/etc/hostname' });
    await expectRun();
    expect(await server.metric('tundish_cache_refused_total{code="CACHE_ARCHIVE"}')).toBe(1);
  });

  it('goes on when the disk of the server fails', async () => {
    change(first, { size: 14 });
    server.setFaults({ broken: '/tmp/' });
    await expectRun();
    server.setFaults({});
    await expectRun();
    server.setFaults({ broken: '/nx/' });
    await expectRun();
    server.setFaults({});
    expect((await run(first, 'main')).output).toContain(HIT);
  });

  it('goes on when the disk of the server hangs', async () => {
    server.setFaults({ slow: '/nx/' });
    await expectRun();
    change(first, { size: 15 });
    server.setFaults({ slow: '/tmp/' });
    await expectRun();
    server.setFaults({});
  });

  it('is not given what has changed on the disk of the server', async () => {
    change(first, { size: 16 });
    const before = archives();
    await expectRun();
    const [path = ''] = archives().filter((one) => !before.includes(one));
    const bytes = readFileSync(path);
    bytes[Math.floor(bytes.length / 2)] ^= 1;
    writeFileSync(path, bytes);
    await expectRun();
    expect(statSync(path).size).toBeGreaterThan(0);
    expect((await run(first, 'main')).output).toContain(HIT);
  });
});
