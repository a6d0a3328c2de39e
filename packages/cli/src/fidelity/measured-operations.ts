/** Runs tapped graphs in the emulator over text, and holds each operation and each encoding against what it should be. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Reporter } from '@tundish/diagnostics';
import { Engine, type EngineModel } from '@tundish/runtime';
import type { Executable } from '@tundish/toolchain';
import { type EncodingRow, type OperationError, OperationErrors, type PartOptions, type QairtLibraries, encodingRows, openPlan, tapPlan, weightRows, withEmulator } from '@tundish/toolchain-qairt';
import type { DeviceGraph } from './device-graphs.js';

export interface OperationsRequest {
  readonly libraries: QairtLibraries;
  readonly options: PartOptions;
  /** All parts of one AR and CL. */
  readonly graphs: readonly DeviceGraph[];
  readonly model: EngineModel;
  /** Text, as many tokens as there are. */
  readonly tokens: Int32Array;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

export interface MeasuredOperations {
  readonly operations: readonly OperationError[];
  readonly encodings: readonly EncodingRow[];
  /** Of the first measured token. */
  readonly position: number;
  /** How many tokens were measured. */
  readonly tokens: number;
}

/** Behind so many tokens the cache holds text, and the errors of operations no longer change. */
const POSITION = 128;
/** Fewer rows would leave the average of an operation to chance. */
const ROWS = 32;

/** @throws QAIRT_* */
export async function measureOperations(request: OperationsRequest): Promise<MeasuredOperations> {
  const { libraries, options, graphs, reporter, signal } = request;
  const scratch = await mkdtemp(join(tmpdir(), 'tundish-fidelity-'));
  try {
    return await withEmulator({ libraries, soc: options.chip.socModel, signal }, async (child) => {
      const state = { isMeasuring: false };
      const opened: { readonly executable: Executable; readonly errors: OperationErrors; readonly rows: readonly EncodingRow[] }[] = [];
      const report = (): void => reporter.progress({ work: 'compile', label: 'tapped graphs', done: opened.length, total: graphs.length });
      for (const { plan, cell, paths, graph, encodings } of graphs) {
        report();
        const errors = new OperationErrors(plan, paths);
        const { executable, binary } = await openPlan(child, { plan: tapPlan(plan), cell, paths, options: options.graph, libraries, scratch, onRun: (codes) => state.isMeasuring && errors.add(codes) });
        const rows = [...encodingRows({ graph, simulated: encodings.activations, plan, binary }), ...weightRows({ graph, parameters: encodings.parameters, plan, paths })];
        opened.push({ executable, errors, rows });
      }
      report();
      const { position, tokens } = await runText(request, opened.map(({ executable }) => executable), state);
      return { operations: opened.flatMap(({ errors }) => errors.rows()), encodings: opened.flatMap(({ rows }) => rows), position, tokens };
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The last rows that the text and the context have room for, from POSITION on, are measured. */
async function runText({ graphs: [first], model, tokens, reporter, signal }: OperationsRequest, executables: readonly Executable[], state: { isMeasuring: boolean }): Promise<Pick<MeasuredOperations, 'position' | 'tokens'>> {
  const { ar, cl } = (first as DeviceGraph).cell;
  const rows = Math.ceil(ROWS / ar) * ar;
  const room = Math.min(tokens.length, cl - ar);
  const position = Math.max(0, Math.floor(Math.min(POSITION, room - rows) / ar) * ar);
  const text = tokens.subarray(0, Math.min(room, position + rows));
  const engine = new Engine(executables, model);
  const report = (): void => reporter.progress({ work: 'run', label: 'tokens in the emulator', done: engine.position, total: text.length });
  state.isMeasuring = position === 0;
  report();
  const passes = engine.score(text, signal);
  while ((await passes.next()).done !== true) {
    report();
    state.isMeasuring = engine.position >= position;
  }
  return { position, tokens: text.length - position };
}
