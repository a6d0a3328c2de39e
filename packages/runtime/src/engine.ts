/** Runs the graphs of a container over a growing sequence: chunked prefill, single steps, one cache for all graphs. */
import type { Executable, TensorData } from '@tundish/toolchain';
import { CacheBuffer } from './cache-buffer.js';
import type { CacheLayout } from './cache-layout.js';
import { allocateShared, decode, encode } from './codec.js';
import { runtimeError } from './errors.js';
import { capacityOf, decodePass, prefillPass } from './pass.js';
import type { Pass } from './pass.js';
import { passInputs } from './pass-inputs.js';
import type { PassConstants } from './pass-inputs.js';
import { LOGITS, planExecution } from './plan.js';
import type { ChainLink, ExecutionPlan } from './plan.js';

/** What the engine must know beside the graphs. */
export interface EngineModel extends PassConstants {
  readonly vocabularySize: number;
}

/** Which rows of a pass give logits. */
type Wanted = 'none' | 'last' | 'all';

interface Cache {
  readonly layout: CacheLayout;
  readonly buffer: CacheBuffer;
}

/**
 * State of one sequence. Calls are serialised by the caller; a call during another one throws RUNTIME_BUSY.
 * A failed call leaves the cache at the last complete chunk: `position` says where.
 */
export class Engine {
  /** Tokens that the cache can hold: CL_max - AR_min. */
  readonly capacity: number;
  readonly #plan: ExecutionPlan;
  readonly #model: EngineModel;
  readonly #caches: ReadonlyMap<string, Cache>;
  #position = 0;
  #contextLength: number;
  #busy = false;

  /**
   * @param executables the parts of the container, opened
   * @throws TundishError RUNTIME_IO_MISMATCH when the graphs do not fit each other
   */
  constructor(executables: readonly Executable[], model: EngineModel) {
    this.#plan = planExecution(executables, { vocabularySize: model.vocabularySize, rotaryPairs: model.rope.inverseFrequencies.length });
    this.#model = model;
    this.capacity = capacityOf(this.#plan.ars, this.#plan.contextLengths);
    this.#contextLength = this.#smallestContext();
    this.#caches = new Map(this.#plan.caches.map((layout) => {
      // By far the largest input: in shared memory no pass copies it or hands it over.
      const data = allocateShared(layout.tensor, layout.outer * this.capacity * layout.inner);
      return [layout.input, { layout, buffer: new CacheBuffer(data, layout, encode(layout.tensor, 0), this.capacity) }];
    }));
  }

  get vocabularySize(): number {
    return this.#model.vocabularySize;
  }

  /** Tokens in the cache; the next token has this position. */
  get position(): number {
    return this.#position;
  }

  /** CL of the graphs in use: the smallest that fits, never less than before until a reset. */
  get contextLength(): number {
    return this.#contextLength;
  }

  /** Opens the graphs that `count` more tokens and the step after them run, as far as they are not open yet. */
  async prepare(count: number): Promise<void> {
    const { ars, contextLengths } = this.#plan;
    const links = new Map<string, ChainLink>();
    const need = ({ ar, cl }: Pass): void => this.#plan.chain(ar, cl).links.forEach((link) => links.set(link.io.name, link));
    let { position, contextLength } = this.#state();
    for (const end = Math.min(position + count, this.capacity); position < end; ) {
      const pass = prefillPass(ars, contextLengths, { position, contextLength }, end - position);
      need(pass);
      position += pass.count;
      contextLength = pass.cl;
    }
    if (position < this.capacity) need(decodePass(ars, contextLengths, { position, contextLength }));
    await Promise.all([...links.values()].map(({ executable, io }) => executable.prepare(io.name)));
  }

  /**
   * Appends tokens and returns the logits after the last one, float32 [V].
   *
   * @throws TundishError RUNTIME_PROMPT_EMPTY, RUNTIME_CAPACITY, RUNTIME_TOKEN_OUT_OF_RANGE before anything runs; the reason
   *   of `signal` between two chunks
   */
  async prefill(ids: ArrayLike<number>, signal?: AbortSignal): Promise<Float32Array> {
    let logits: Float32Array = new Float32Array(0);
    for await (const rows of this.#chunks(ids, 'last', signal)) logits = rows;
    return logits;
  }

  /** As `prefill`, yielding the logits after every token: float32 [rows, V] per chunk, in order. */
  score(ids: ArrayLike<number>, signal?: AbortSignal): AsyncGenerator<Float32Array, void> {
    return this.#chunks(ids, 'all', signal);
  }

  /** Appends one token at the smallest AR and returns the logits after it, float32 [V]. Throws as `prefill`. */
  async step(id: number): Promise<Float32Array> {
    this.#check([id]);
    return this.#run(decodePass(this.#plan.ars, this.#plan.contextLengths, this.#state()), [id], 'last');
  }

  /** Forgets everything; the next pass uses the smallest CL again. */
  reset(): void {
    this.rewind(0);
    this.#contextLength = this.#smallestContext();
  }

  /**
   * Forgets the tokens from `position` on. The CL in use stays.
   *
   * @throws TundishError RUNTIME_POSITION_INVALID, RUNTIME_BUSY
   */
  rewind(position: number): void {
    if (this.#busy) throw busy();
    if (!Number.isInteger(position) || position < 0 || position > this.#position) {
      throw runtimeError('RUNTIME_POSITION_INVALID', { what: `the cache holds ${this.#position} tokens and cannot be cut at ${position}` });
    }
    for (const { buffer } of this.#caches.values()) buffer.truncate(position, this.#position);
    this.#position = position;
  }

  async *#chunks(ids: ArrayLike<number>, wanted: 'last' | 'all', signal?: AbortSignal): AsyncGenerator<Float32Array, void> {
    this.#check(ids);
    const { ars, contextLengths } = this.#plan;
    for (let done = 0; done < ids.length; ) {
      signal?.throwIfAborted();
      const pass = prefillPass(ars, contextLengths, this.#state(), ids.length - done);
      const chunk = Array.from({ length: pass.count }, (_, i) => ids[done + i] as number);
      done += pass.count;
      const rows = wanted === 'last' && done < ids.length ? 'none' : wanted;
      const logits = await this.#run(pass, chunk, rows);
      if (rows !== 'none') yield logits;
    }
  }

  async #run(pass: Pass, ids: readonly number[], wanted: Wanted): Promise<Float32Array> {
    if (this.#busy) throw busy();
    this.#busy = true;
    try {
      const outputs = await this.#execute(pass, ids, wanted !== 'none');
      this.#commit(pass, outputs);
      const logits = outputs.get(LOGITS);
      if (logits === undefined) return new Float32Array(0);
      const width = this.#model.vocabularySize;
      const first = wanted === 'all' ? 0 : ids.length - 1;
      return decode(this.#plan.chain(pass.ar, pass.cl).logits, logits, first * width, (ids.length - first) * width);
    } finally {
      this.#busy = false;
    }
  }

  /** Runs all parts; neither the valid part of the cache nor the position changes, so a failure leaves the state whole. */
  async #execute(pass: Pass, ids: readonly number[], wantLogits: boolean): Promise<Map<string, TensorData>> {
    const chain = this.#plan.chain(pass.ar, pass.cl);
    this.#restride(pass.cl - pass.ar);
    const values = new Map<string, TensorData>(passInputs(chain, this.#model, ids, this.#position));
    for (const { executable, io, forwards, cacheOutputs } of chain.links) {
      const names = [...forwards.filter((name) => wantLogits || name !== LOGITS), ...cacheOutputs];
      // A part that makes nothing but logits is skipped where nobody reads them.
      if (names.length === 0) continue;
      const inputs = new Map(io.inputs.map(({ name }) => [name, this.#caches.get(name)?.buffer.view() ?? take(values, name, io.name)]));
      const outputs = await executable.run(io.name, inputs, names);
      for (const name of names) values.set(name, take(outputs, name, io.name));
    }
    return values;
  }

  #commit(pass: Pass, outputs: ReadonlyMap<string, TensorData>): void {
    this.#restride(pass.stride);
    for (const { layout, buffer } of this.#caches.values()) {
      buffer.append(take(outputs, layout.output, layout.input), pass.ar, this.#position, pass.count);
    }
    this.#position += pass.count;
    this.#contextLength = pass.cl;
  }

  #restride(stride: number): void {
    for (const { buffer } of this.#caches.values()) buffer.restride(stride, this.#position);
  }

  #state(): { position: number; contextLength: number } {
    return { position: this.#position, contextLength: this.#contextLength };
  }

  #smallestContext(): number {
    return this.#plan.contextLengths[0] as number;
  }

  #check(ids: ArrayLike<number>): void {
    if (ids.length === 0) throw runtimeError('RUNTIME_PROMPT_EMPTY', { what: 'there is no token to process', fix: 'give at least one token' });
    if (this.#position + ids.length > this.capacity) {
      throw runtimeError('RUNTIME_CAPACITY', {
        what: `${this.#position} tokens in the cache and ${ids.length} new ones exceed the capacity of ${this.capacity}`,
        why: `the largest context length has ${this.capacity + (this.#plan.ars[0] as number)} positions, ${this.#plan.ars[0]} of which are the block in work`,
        fix: 'shorten the text, or add a larger CL to the recipe and build again',
      });
    }
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i] as number;
      if (Number.isInteger(id) && id >= 0 && id < this.#model.vocabularySize) continue;
      throw runtimeError('RUNTIME_TOKEN_OUT_OF_RANGE', {
        what: `token ${id} at index ${i} is outside the vocabulary of ${this.#model.vocabularySize}`,
        fix: 'use the tokenizer of the container',
      });
    }
  }
}

function take(values: ReadonlyMap<string, TensorData>, name: string, graph: string): TensorData {
  const data = values.get(name);
  if (data !== undefined) return data;
  throw runtimeError('RUNTIME_IO_MISMATCH', { what: `${graph} was not given ${name}`, fix: 'build the container again' });
}

function busy(): Error {
  return runtimeError('RUNTIME_BUSY', { what: 'the engine is working on another call', fix: 'wait for the earlier call, or open a second session' });
}
