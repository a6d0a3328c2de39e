/** Digests of code: the content of modules and of everything that they import, so that other code never meets an old result. */
import { fileURLToPath } from 'node:url';
import { sha256 } from '@tundish/store';
import { ModuleMemo } from './module-memo.js';
import { ModuleResolver, type ModuleTarget } from './resolve-module.js';

/** A module with its imports resolved. */
interface Module {
  readonly digest: string;
  readonly imports: readonly ModuleTarget[];
}

export class CodeDigests {
  readonly #memo: ModuleMemo;
  readonly #resolver = new ModuleResolver();
  readonly #modules = new Map<string, Module>();
  readonly #digests = new Map<string, Promise<string>>();

  /**
   * @param cacheRoot where digests of unchanged files are remembered
   * @param remember false for a look that writes nothing
   */
  constructor(cacheRoot: string, private readonly remember = true) {
    this.#memo = new ModuleMemo(cacheRoot);
  }

  /**
   * sha256 of the entry modules, of the modules of Tundish that they import, directly or not, and of the name and version of
   * every other package that these import. The folders in which they lie do not matter.
   *
   * @param entries file URLs in a fixed order
   * @param ours `named` when modules of Tundish count by their name alone: what a lock pins of a user's code must outlive an update
   * @throws STAGE_CODE
   */
  digest(entries: readonly URL[], ours: 'followed' | 'named' = 'followed'): Promise<string> {
    // All units of a stage ask for the same.
    const name = [ours, ...entries].join('\n');
    const known = this.#digests.get(name) ?? this.#walk(entries, ours);
    this.#digests.set(name, known);
    return known;
  }

  async #walk(entries: readonly URL[], ours: 'followed' | 'named'): Promise<string> {
    const order = new Map(entries.map((entry, index) => [fileURLToPath(entry), index]));
    const modules: unknown[] = [entries.length];
    // The map grows while it is walked: numbers follow the imports, so they do not depend on names of folders.
    for (const path of order.keys()) {
      const { digest, imports } = this.#modules.get(path) ?? (await this.#look(path));
      modules.push([digest, imports.map((target) => (target.kind === 'name' ? target.name : ours === 'named' && target.ours !== undefined ? target.ours : numberOf(target.path, order)))]);
    }
    return sha256(JSON.stringify(modules));
  }

  /** sha256 of one file; `absent` when it is not there. */
  async fileDigest(path: string): Promise<string> {
    return (await this.#memo.facts(path)).digest;
  }

  /** Writes what is new to disk; without it later processes read the files again. */
  async save(): Promise<void> {
    if (this.remember) await this.#memo.save();
  }

  /** Several stages share most of their modules: each is looked at, and its imports resolved, once. */
  async #look(path: string): Promise<Module> {
    const { digest, imports } = await this.#memo.facts(path);
    const module = { digest, imports: imports.map((specifier) => this.#resolver.resolve(specifier, path)) };
    this.#modules.set(path, module);
    return module;
  }

}

function numberOf(path: string, order: Map<string, number>): number {
  const known = order.get(path) ?? order.size;
  order.set(path, known);
  return known;
}
