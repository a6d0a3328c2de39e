/** Starts the two servers that are compared: ours, and nginx from this machine or from Debian's packages. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ROOT, succeed } from '../processes.mjs';

const START_MS = 20_000;

/** Runs `use` with a new empty folder, which is removed afterwards. */
export async function withScratch(name, use) {
  const scratch = join(ROOT, 'test-output', name);
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  try {
    return await use(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Ours. @param core the only one that it may use; undefined for all */
export async function startOurs(folder, { core } = {}) {
  const port = await freePort();
  const command = [process.execPath, join(ROOT, 'packages/cache-server/bin/tundish-cache.js'), '--dir', folder, '--port', String(port)];
  return started(command, port, { core, file: (kind, key) => join(folder, 'trusted', kind, key.slice(0, 2), key) });
}

/** nginx with one worker, sendfile and WebDAV's PUT below `folder`. */
export async function startNginx(folder, state, { core } = {}) {
  const program = await findNginx();
  const port = await freePort();
  mkdirSync(join(state, 'body'), { recursive: true });
  const conf = join(state, 'nginx.conf');
  const owner = process.getuid?.() === 0 ? 'user root;' : '';
  const unused = ['proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${state}/${name};`).join(' ');
  writeFileSync(
    conf,
    `${owner} daemon off; worker_processes 1; pid ${state}/nginx.pid; error_log ${state}/error.log;
events { worker_connections 256; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; client_max_body_size 0; client_body_buffer_size 1m;
  client_body_temp_path ${state}/body; ${unused}
  server { listen 127.0.0.1:${port}; root ${folder}; location / { dav_methods PUT; } }
}
`,
  );
  return started([program, '-p', state, '-c', conf, '-e', join(state, 'error.log')], port, { core });
}

async function started(command, port, { core, file }) {
  const [program, ...args] = core === undefined ? command : ['taskset', '-c', String(core), ...command];
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => (said += chunk));
  const ended = new Promise((resolve) => child.once('close', resolve));
  const url = `http://127.0.0.1:${port}`;
  const begin = performance.now();
  while (!(await fetch(url).then((answer) => answer.arrayBuffer().then(() => true), () => false))) {
    if (child.exitCode !== null || performance.now() - begin > START_MS) throw new Error(`${program} did not start: ${said}`);
    await wait(20);
  }
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  return { url, file, stop, startSeconds: (performance.now() - begin) / 1000, peakMegabytes: () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1e3 };
}

/** The one that is installed, else the one of Debian's package, unpacked and not installed. */
async function findNginx() {
  const installed = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'].find(existsSync);
  if (installed !== undefined) return installed;
  const peers = join(ROOT, 'test-output/peers/nginx');
  const unpacked = join(peers, 'usr/sbin/nginx');
  if (existsSync(unpacked)) return unpacked;
  mkdirSync(peers, { recursive: true });
  const fetched = spawnSync('apt-get', ['download', 'nginx'], { cwd: peers, encoding: 'utf8' });
  const file = readdirSync(peers).find((name) => name.endsWith('.deb'));
  if (file === undefined) throw new Error(`there is no nginx to compare with, and apt-get cannot fetch it: install nginx\n${fetched.stderr ?? fetched.error}`);
  await succeed('dpkg', ['-x', join(peers, file), peers]);
  return unpacked;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
