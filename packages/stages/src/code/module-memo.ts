/** Digests and imports of modules, remembered by the state of their files: a process that changes nothing reads none. */
import { type BigIntStats, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sha256, writeFileAtomic } from '@tundish/store';
import { moduleImports } from './module-imports.js';

/** What the walk needs of one file. */
export interface ModuleFacts {
  /** sha256 of the content; `absent` for a file that is not there. */
  readonly digest: string;
  readonly imports: readonly string[];
}

/** Version of the memo's form. */
const SCHEMA = 1;
/** A change within the clock tick of the reading would not change the times: such a file is not remembered. */
const RACY_NS = 2_000_000_000n;
/** Oldest entries beyond this are forgotten. */
const MAX_ENTRIES = 4096;
const MODULE = /\.[cm]?[jt]s$/;
const ABSENT: ModuleFacts = { digest: 'absent', imports: [] };

type Entry = readonly [identity: string, digest: string, imports: readonly string[]];

/** Looks at each file once in its life; `save` writes what is new below the cache root. */
export class ModuleMemo {
  readonly #path: string;
  readonly #entries: Map<string, Entry>;
  readonly #facts = new Map<string, Promise<ModuleFacts>>();
  readonly #added = new Map<string, Entry>();

  constructor(cacheRoot: string) {
    this.#path = join(cacheRoot, 'code-digests.json');
    this.#entries = readEntries(this.#path);
  }

  /** @throws STAGE_CODE */
  facts(path: string): Promise<ModuleFacts> {
    const known = this.#facts.get(path) ?? this.#look(path);
    this.#facts.set(path, known);
    return known;
  }

  async save(): Promise<void> {
    if (this.#added.size === 0) return;
    const merged = new Map([...readEntries(this.#path), ...this.#added]);
    const body = JSON.stringify({ schema: SCHEMA, modules: [...merged].slice(-MAX_ENTRIES) });
    await writeFileAtomic(this.#path, `${sha256(body)}\n${body}\n`);
    this.#added.clear();
  }

  async #look(path: string): Promise<ModuleFacts> {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    // Modules name each other by the compiled file; under a test runner the sources lie there.
    if (found === undefined && /\.m?js$/.test(path)) return this.#look(`${path.slice(0, -2)}ts`);
    if (found?.isFile() !== true) return ABSENT;
    const identity = identityOf(found);
    const known = this.#entries.get(path);
    if (known?.[0] === identity) return { digest: known[1], imports: known[2] };
    const started = BigInt(Date.now()) * 1_000_000n;
    const bytes = readFileSync(path);
    const facts = { digest: sha256(bytes), imports: MODULE.test(path) ? await moduleImports(bytes.toString('utf8'), path) : [] };
    const settled = (found.mtimeNs > found.ctimeNs ? found.mtimeNs : found.ctimeNs) + RACY_NS < started;
    if (settled) this.#added.set(path, [identity, facts.digest, facts.imports]);
    return facts;
  }
}

/** Any write changes the ctime, which programs cannot set back. */
function identityOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
}

/** The file is `<sha256 of the next line>\n<json>\n`: a flipped bit loses the memo instead of giving a wrong digest. */
function readEntries(path: string): Map<string, Entry> {
  try {
    const [checksum, body, end] = readFileSync(path, 'utf8').split('\n');
    if (body === undefined || end !== '' || sha256(body) !== checksum) return new Map();
    const { schema, modules } = JSON.parse(body) as { schema: number; modules: [string, Entry][] };
    return schema === SCHEMA ? new Map(modules) : new Map();
  } catch {
    return new Map();
  }
}
