/** Runs a script whose last line is JSON, and watches the resident memory of its process and of all below it. */
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { ROOT, cleanEnvironment } from '../processes.mjs';

const EVERY_MS = 100;

/** @returns the JSON with `peak`, bytes of all processes at one time, at most */
export function watchTree(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] });
    let [stdout, peak] = ['', 0];
    child.stdout.on('data', (chunk) => (stdout += chunk));
    const timer = setInterval(() => (peak = Math.max(peak, residentBytes(child.pid))), EVERY_MS);
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(timer);
      if (code === 0) resolve({ ...JSON.parse(stdout.trim().split('\n').at(-1)), peak });
      else reject(new Error(`${args.join(' ')} failed with ${code}:\n${stdout}`));
    });
  });
}

function residentBytes(root) {
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((id) => status(id));
  const tree = new Set([root]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const { id, parent } of processes) if (tree.has(parent) && !tree.has(id)) grown = tree.add(id).has(id);
  }
  return processes.reduce((sum, { id, bytes }) => (tree.has(id) ? sum + bytes : sum), 0);
}

function status(id) {
  try {
    const text = readFileSync(`/proc/${id}/status`, 'utf8');
    const field = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
    return [{ id: Number(id), parent: field('PPid'), bytes: field('VmRSS') * 1024 }];
  } catch {
    // It has ended.
    return [];
  }
}
