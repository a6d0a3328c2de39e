/** Where an import leads: a file of ours, whose content counts, or a package of others, whose version does. */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stageError } from '../errors.js';

/** Packages whose code is followed; of any other the version stands for the content. */
const OUR_SCOPE = '@tundish/';

export type ModuleTarget =
  /** `ours` is the specifier of a package of Tundish. */
  | { readonly kind: 'file'; readonly path: string; readonly ours?: string }
  /** A package as `name@version`, a module of Node.js by its name. */
  | { readonly kind: 'name'; readonly name: string };

/** What is read of a package.json. */
interface PackageJson {
  readonly version?: string;
  readonly main?: string;
  readonly exports?: Readonly<Record<string, string | { readonly import?: string; readonly default?: string }>>;
}

/** Endings that an import of TypeScript may leave out. */
const LEFT_OUT = ['.ts', '.mts', '.js', '.mjs', '.json', '/index.ts', '/index.js'];

/** Resolves imports as Node.js does; what was found is remembered, since all modules of a folder name the same few packages. */
export class ModuleResolver {
  readonly #manifests = new Map<string, string | undefined>();
  readonly #packages = new Map<string, PackageJson>();

  /** @throws STAGE_CODE for an import of a package of ours that is not installed, or does not export it, and for one of `imports` in package.json */
  resolve(specifier: string, from: string): ModuleTarget {
    if (isBuiltin(specifier)) return { kind: 'name', name: specifier };
    if (/^(\.|\/|file:)/.test(specifier)) return { kind: 'file', path: localModule(specifier.startsWith('file:') ? fileURLToPath(specifier) : resolve(dirname(from), specifier)) };
    if (specifier.startsWith('#')) throw stageError('STAGE_CODE', { what: `the import ${specifier} cannot be followed`, why: 'it is resolved by package.json', evidence: { path: from }, fix: 'name the file by its path' });
    const [name, path] = packageAndPath(specifier);
    const manifest = this.#manifest(name, dirname(from));
    if (name.startsWith(OUR_SCOPE)) return { kind: 'file', path: this.#exported(manifest, path) ?? notExported(specifier, from), ours: specifier };
    // A package of the workspace itself changes without a new version.
    if (manifest !== undefined && !manifest.includes(`${sep}node_modules${sep}`)) return { kind: 'file', path: this.#exported(manifest, path) ?? notExported(specifier, from) };
    const version = manifest === undefined ? 'absent' : (this.#package(manifest).version ?? 'unversioned');
    return { kind: 'name', name: `${name}@${version}` };
  }

  #exported(manifest: string | undefined, path: string): string | undefined {
    if (manifest === undefined) return undefined;
    const { exports, main = './index.js' } = this.#package(manifest);
    const target = exports === undefined && path === '.' ? main : exports?.[path];
    const file = typeof target === 'string' ? target : (target?.import ?? target?.default);
    return file === undefined ? undefined : join(dirname(manifest), file);
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

/** A path that is written without its ending, as TypeScript allows, with it. */
function localModule(path: string): string {
  if (/\.([cm]?[jt]s|json|node)$/.test(path)) return path;
  return LEFT_OUT.map((ending) => `${path}${ending}`).find((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true) ?? path;
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
