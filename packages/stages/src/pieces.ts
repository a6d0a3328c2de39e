/** Pieces of a stage's work with keys of their own: a stage that is killed loses one of them at most. */
import { silentReporter } from '@tundish/diagnostics';
import { type ActionCache, type ActionInfo, type ActionInputs, type BlobRef, type StageManifest, type Store, actionKey } from '@tundish/store';
import type { Observation } from './observe/observation.js';
import { measureMemory } from './memory/measure-memory.js';
import { cpuSecondsSince } from './observe/process-usage.js';
import { publishResult } from './publish.js';
import type { FoundIn, SharedResults } from './shared-results.js';
import type { Piece, PieceRequest, StageFile } from './stage.js';

/** What a piece inherits of the unit that it belongs to. */
export interface PieceOwner {
  readonly store: Store;
  readonly cache: ActionCache;
  readonly shared: SharedResults;
  /** Whether a piece counts as found only with all its files here. */
  readonly whole: boolean;
  /** Code, tool and profile of the unit. */
  readonly by: Pick<ActionInputs, 'code' | 'tool' | 'profile'>;
  /** The main thing that the unit read. */
  readonly source: string;
  readonly stage: string;
  /** Name of the unit. */
  readonly unit: string;
  readonly observation: Observation;
}

/** A piece that another machine made has lost a file that is read: the stage must make it. */
export class LostPiece extends Error {}

/** How many pieces of a unit were there already. */
export interface PieceCount {
  readonly cached: number;
  readonly total: number;
}

/** The pieces of one unit while it runs. */
export class Pieces {
  #cached = 0;
  #total = 0;

  constructor(private readonly owner: PieceOwner) {}

  get count(): PieceCount {
    return { cached: this.#cached, total: this.#total };
  }

  async piece(request: PieceRequest, make: (scratch: string) => Promise<readonly StageFile[]>): Promise<Piece> {
    const { observation, stage, unit } = this.owner;
    const { manifest } = await observation.around({ level: 'piece', stage, name: `${unit}/${request.name}` }, () => this.#find(request, make));
    return this.#pieceOf(manifest);
  }

  async #find(request: PieceRequest, make: (scratch: string) => Promise<readonly StageFile[]>): Promise<{ readonly status: 'run' | 'cached'; readonly source?: FoundIn; readonly manifest: StageManifest }> {
    const { store, cache, shared, whole, by } = this.owner;
    const { operation, name, options, digests } = request;
    const { code, tool, profile } = by;
    const { key, fields } = actionKey({ stage: operation, code, ...(tool === undefined ? {} : { tool }), ...(profile === undefined ? {} : { profile }), options: { ...options, subject: name }, upstream: digests });
    const found = await (whole ? shared.lookupWhole(operation, key) : shared.lookup(operation, key));
    this.#total += 1;
    if (found !== undefined) {
      this.#cached += 1;
      return { status: 'cached', ...found };
    }
    const began = performance.now();
    const cpu = process.cpuUsage();
    const createdAt = new Date().toISOString();
    const { result: manifest, memory } = await measureMemory(() => store.withScratch(async (scratch) => publishResult(store, { name: operation, subject: name, result: { files: await make(scratch) }, scratch, reporter: silentReporter })));
    const info: ActionInfo = {
      source: this.owner.source,
      config: fields,
      createdAt,
      ...(tool === undefined ? {} : { tool }),
      inputs: digests,
      wallSeconds: (performance.now() - began) / 1000,
      cpuSeconds: cpuSecondsSince(cpu),
      memory: { declared: null, measured: memory.bytes, of: memory.of, limit: null },
    };
    const published = await cache.publish(operation, key, { manifest, info });
    shared.share(operation, key, published);
    return { status: 'run', manifest: published };
  }

  #pieceOf(manifest: StageManifest): Piece {
    const { store, shared } = this.owner;
    const ref = (name: string): BlobRef => {
      const { sha256, size } = manifest.outputs.find((output) => output.name === name) as StageManifest['outputs'][number];
      return { sha256, size };
    };
    return {
      ref,
      path: async (name) => {
        await shared.fetch([ref(name)]);
        if (!store.has(ref(name))) throw new LostPiece(`${name} of ${manifest.subject ?? ''}`);
        return store.pathOf(ref(name));
      },
    };
  }
}
