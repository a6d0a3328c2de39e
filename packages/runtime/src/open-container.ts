/** Opens a container folder with the toolchain that compiled it. */
import { partFiles, readContainer } from '@tundish/container';
import type { Container } from '@tundish/container';
import { type Reporter, silentReporter } from '@tundish/diagnostics';
import { type Tokenizer, loadTokenizer } from '@tundish/tokenizer';
import type { Executable, Toolchain } from '@tundish/toolchain';
import { runtimeError } from './errors.js';
import { Session } from './session.js';

export interface OpenContainerOptions {
  /** Finds the toolchain by the name in the manifest; throws when it is not known. The surface decides which exist. */
  readonly toolchain: (name: string) => Toolchain | Promise<Toolchain>;
  /** Threads of one run; never changes a result. */
  readonly threads: number;
  /** Told which parts are open; parts can be gigabytes. */
  readonly reporter?: Reporter;
}

/**
 * Reads the manifest, loads the tokenizer, and opens every part as far as a short prompt needs it.
 *
 * @throws TundishError CONTAINER_* for a damaged folder, RUNTIME_TOOLCHAIN_DIFFERS, RUNTIME_IO_MISMATCH, and what the
 *   toolchain throws; nothing stays open after an error
 */
export async function openContainer(folder: string, options: OpenContainerOptions): Promise<Session> {
  const container = await readContainer(folder);
  const { manifest } = container;
  const toolchain = await options.toolchain(manifest.toolchain.name);
  await requireSameToolchain(container, toolchain);
  const tokenizer = await containerTokenizer(container);
  const executables: Executable[] = [];
  const report = (): void => (options.reporter ?? silentReporter).progress({ work: 'loading', label: 'parts', done: executables.length, total: manifest.parts.length });
  try {
    for (const { part, graphs } of manifest.parts) {
      report();
      executables.push(await toolchain.open({ graphs, files: partFiles(container, part), threads: options.threads }));
    }
    const session = new Session(container, tokenizer, executables);
    await session.engine.prepare(1);
    report();
    return session;
  } catch (error) {
    // The first failure is the one to tell, whatever closing says.
    await Promise.allSettled(executables.map((executable) => executable.close()));
    throw error;
  }
}

/** Undefined where the checkpoint had none. @throws TundishError TOKENIZER_* */
export async function containerTokenizer({ folder, manifest }: Container): Promise<Tokenizer | undefined> {
  if (!Object.hasOwn(manifest.files, 'tokenizer.json')) return undefined;
  return loadTokenizer(folder, { vocabSize: manifest.vocabularySize, eosTokenIds: manifest.tokens.eos });
}

// Compiled bytes are laid out for one version of the libraries and one kind of machine; others may read them wrongly in silence.
async function requireSameToolchain(container: Container, toolchain: Toolchain): Promise<void> {
  const made = container.manifest.toolchain;
  const here = await toolchain.identity();
  const different = (['name', 'version', 'machine', 'operators'] as const).find((field) => made[field] !== here[field]);
  if (different === undefined) return;
  throw runtimeError('RUNTIME_TOOLCHAIN_DIFFERS', {
    what: `the container needs ${made.name} ${made.version} on ${made.machine || 'any machine'}`,
    why: `its ${different} is "${made[different]}" and this process has "${here[different]}"`,
    evidence: { path: container.folder },
    fix: 'build the container again here, or run it where it was built',
  });
}
