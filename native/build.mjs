/** Configures and builds the addons with plain cmake and puts them at build/<os>-<arch>: tundish.node, and tundish-qnn.node on Linux x86_64; `--toolchain` only names the tools, `--target NAME` builds one of them. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const platform = `${process.platform}-${process.arch}`;

/** First line of `<command> --version`, or undefined when the command is not there. */
function versionOf(command) {
  const { status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n', 1)[0] : undefined;
}

/** The compiler that cmake will choose: CXX when it is set, else the first of its own list. */
function findCompiler() {
  const candidates = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  for (const command of candidates) {
    const version = versionOf(command);
    if (version !== undefined) return { command, version };
  }
  return undefined;
}

function runCmake(args) {
  const result = spawnSync('cmake', args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`cmake could not ${args[0] === '--build' ? 'build' : 'configure'} the addon:\n${result.stdout}${result.stderr}`);
}

/** Folder of an installed header package. */
function packageFolder(name) {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    throw new Error(`the header package ${name} is not installed; run npm install`);
  }
}

function build(compiler, wanted) {
  if (versionOf('cmake') === undefined) throw new Error('cmake is not installed; install cmake 3.18 or later, or go on with the TypeScript kernels');
  if (compiler === undefined) throw new Error('no C++ compiler found; install g++ or clang++ with C++20, or set CXX, or go on with the TypeScript kernels');
  const headers = [`-DNODE_API_HEADERS=${join(packageFolder('node-api-headers'), 'include')}`, `-DNODE_ADDON_API=${packageFolder('node-addon-api')}`];
  const generator = versionOf('ninja') === undefined ? [] : ['-G', 'Ninja'];
  // A tree of its own and a rename at the end: builds may run at the same time, and a half-written addon is never seen.
  const work = mkdtempSync(join(tmpdir(), 'tundish-native-'));
  try {
    runCmake(['-S', here, '-B', work, ...generator, '-DCMAKE_BUILD_TYPE=Release', ...headers]);
    runCmake(['--build', work, '--parallel', '2', ...wanted]);
    const target = join(here, 'build', platform);
    mkdirSync(target, { recursive: true });
    for (const name of ['tundish.node', 'tundish-qnn.node'].filter((built) => existsSync(join(work, built)))) {
      const partial = join(target, `.${name}.${process.pid}`);
      copyFileSync(join(work, name), partial);
      renameSync(partial, join(target, name));
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const compiler = findCompiler();
if (process.argv.includes('--toolchain')) {
  // Printed for the cache key: other tools or another machine make another addon.
  console.log(`${platform}; ${versionOf('cmake') ?? 'no cmake'}; ${compiler?.version ?? 'no compiler'}`);
} else {
  const started = performance.now();
  try {
    const at = process.argv.indexOf('--target');
    const wanted = at === -1 ? [] : process.argv.slice(at, at + 2);
    build(compiler, wanted);
    console.log(`native: built ${wanted[1] ?? 'the addons'} in build/${platform} in ${((performance.now() - started) / 1000).toFixed(1)} s (${compiler.version})`);
  } catch (error) {
    console.error(`native: ${error.message}`);
    process.exitCode = 1;
  }
}
