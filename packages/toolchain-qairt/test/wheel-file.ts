/** Made-up wheels: an archive with the names of a real one, written with the zip of Python, which pip needs anyway. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** @param entries content by name inside the archive */
export function writeWheel(path: string, entries: Readonly<Record<string, Uint8Array | string>>): void {
  const folder = mkdtempSync(join(tmpdir(), 'tundish-wheel-'));
  try {
    for (const [name, content] of Object.entries(entries)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    const script = 'import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:\n  for n in sys.argv[2:]: z.write(n, n)\n';
    const { status, stderr } = spawnSync('python3', ['-c', script, path, ...Object.keys(entries)], { cwd: folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function metadata(version: string, name = 'onnxruntime-qnn'): string {
  return `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n\nName: something in the text\n`;
}
