/** Pieces of a stage's work with keys of their own: a stage that is killed loses one of them at most. */
import { silentReporter } from '@tundish/diagnostics';
import { type ActionCache, type ActionInfo, type ActionInputs, type StageManifest, type Store, actionKey } from '@tundish/store';
import type { Observation } from './observe/observation.js';
import { measureMemory } from './memory/measure-memory.js';
import { cpuSecondsSince } from './observe/process-usage.js';
import { publishResult } from './publish.js';
import type { Piece, PieceRequest, StageFile } from './stage.js';

/** What a piece inherits of the unit that it belongs to. */
export interface PieceOwner {
  readonly store: Store;
  readonly cache: ActionCache;
  /** Code, tool and profile of the unit. */
  readonly by: Pick<ActionInputs, 'code' | 'tool' | 'profile'>;
  /** The main thing that the unit read. */
  readonly source: string;
  readonly stage: string;
  /** Name of the unit. */
  readonly unit: string;
  readonly observation: Observation;
}

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

  async #find(request: PieceRequest, make: (scratch: string) => Promise<readonly StageFile[]>): Promise<{ readonly status: 'run' | 'cached'; readonly manifest: StageManifest }> {
    const { store, cache, by } = this.owner;
    const { operation, name, options, digests } = request;
    const { code, tool, profile } = by;
    const { key, fields } = actionKey({ stage: operation, code, ...(tool === undefined ? {} : { tool }), ...(profile === undefined ? {} : { profile }), options: { ...options, subject: name }, upstream: digests });
    const found = await cache.lookup(operation, key);
    this.#total += 1;
    if (found !== undefined) {
      this.#cached += 1;
      return { status: 'cached', manifest: found };
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
    return { status: 'run', manifest: await cache.publish(operation, key, { manifest, info }) };
  }

  #pieceOf(manifest: StageManifest): Piece {
    const { store } = this.owner;
    return {
      file: (name) => {
        const { sha256, size } = manifest.outputs.find((output) => output.name === name) as StageManifest['outputs'][number];
        return { sha256, size, path: store.pathOf({ sha256, size }) };
      },
    };
  }
}
