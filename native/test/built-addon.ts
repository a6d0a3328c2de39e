/** Gives tests an addon that matches the sources: builds it when it is missing or older than a source file. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builtAddonPath } from '../ts/addon.js';

const native = fileURLToPath(new URL('..', import.meta.url));

export function ensureAddon(): void {
  if (existsSync(builtAddonPath()) && statSync(builtAddonPath()).mtimeMs >= newestSource()) return;
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(native, 'build.mjs')], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the addon could not be built:\n${stdout}${stderr}`);
}

function newestSource(): number {
  const sources = ['src', 'qnn'].flatMap((folder) => readdirSync(join(native, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)));
  return Math.max(...[...sources, 'CMakeLists.txt', 'build.mjs'].map((name) => statSync(join(native, name)).mtimeMs));
}
