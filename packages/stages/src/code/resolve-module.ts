/** Where an import leads: a file of ours, whose content counts, or a package of others, whose version does. */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { stageError } from '../errors.js';

/** Packages whose code is followed; of any other the version stands for the content. */
const OUR_SCOPE = '@tundish/';

export type ModuleTarget =
  | { readonly kind: 'file'; readonly path: string }
  /** A package as `name@version`, a module of Node.js by its name. */
  | { readonly kind: 'name'; readonly name: string };

/** What is read of a package.json. */
interface PackageJson {
  readonly version?: string;
  readonly exports?: Readonly<Record<string, string | { readonly default?: string }>>;
}

/** Resolves imports as Node.js does; what was found is remembered, since all modules of a folder name the same few packages. */
export class ModuleResolver {
  readonly #manifests = new Map<string, string | undefined>();
  readonly #packages = new Map<string, PackageJson>();

  /** @throws STAGE_CODE for an import of a package of ours that is not installed, or does not export it */
  resolve(specifier: string, from: string): ModuleTarget {
    if (isBuiltin(specifier)) return { kind: 'name', name: specifier };
    if (specifier.startsWith('.')) return { kind: 'file', path: resolve(dirname(from), specifier) };
    const [name, path] = packageAndPath(specifier);
    const manifest = this.#manifest(name, dirname(from));
    if (name.startsWith(OUR_SCOPE)) return { kind: 'file', path: this.#exported(manifest, path) ?? notExported(specifier, from) };
    const version = manifest === undefined ? 'absent' : (this.#package(manifest).version ?? 'unversioned');
    return { kind: 'name', name: `${name}@${version}` };
  }

  #exported(manifest: string | undefined, path: string): string | undefined {
    const target = manifest === undefined ? undefined : this.#package(manifest).exports?.[path];
    const file = typeof target === 'string' ? target : target?.default;
    return manifest === undefined || file === undefined ? undefined : join(dirname(manifest), file);
  }

  /** package.json of a package as modules of `folder` see it. */
  #manifest(name: string, folder: string): string | undefined {
    const key = `${folder}\n${name}`;
    if (this.#manifests.has(key)) return this.#manifests.get(key);
    const here = join(folder, 'node_modules', name, 'package.json');
    const isHere = statSync(here, { throwIfNoEntry: false })?.isFile() === true;
    const found = isHere ? realpathSync(here) : dirname(folder) === folder ? undefined : this.#manifest(name, dirname(folder));
    this.#manifests.set(key, found);
    return found;
  }

  #package(manifest: string): PackageJson {
    const known = this.#packages.get(manifest) ?? (JSON.parse(readFileSync(manifest, 'utf8')) as PackageJson);
    this.#packages.set(manifest, known);
    return known;
  }
}

/** `@tundish/recipe/lock` is `./lock` of `@tundish/recipe`. */
function packageAndPath(specifier: string): [name: string, path: string] {
  const words = specifier.split('/');
  const length = specifier.startsWith('@') ? 2 : 1;
  return [words.slice(0, length).join('/'), ['.', ...words.slice(length)].join('/')];
}

function notExported(specifier: string, from: string): never {
  throw stageError('STAGE_CODE', { what: `${specifier} is imported and cannot be found`, why: 'its package is not installed, or does not export it', evidence: { path: from }, fix: 'install the packages of one version together: npm ci' });
}
