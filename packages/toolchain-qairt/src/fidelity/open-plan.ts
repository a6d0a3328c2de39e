/** A planned graph compiled and opened in the emulator, as something that the runtime can drive. */
import { join } from 'node:path';
import type { QnnData } from '@tundish/native/qnn';
import type { CellId, Executable, TensorData } from '@tundish/toolchain';
import type { Child } from '../child/child.js';
import { finalizedGraph } from '../compile/compose-binary.js';
import type { PartOptions } from '../compile/options.js';
import type { WeightPaths } from '../compose/compose-into.js';
import type { QnnGraphPlan } from '../compose/plan.js';
import { ioTable } from '../convert/io-table.js';
import { type BinaryGraph, describeGraph } from '../inspection/context-binary.js';
import { executableGraph } from '../inspection/open-binary.js';
import { type QairtLibraries, libraryPath } from '../libraries/find.js';

export interface OpenPlanRequest {
  readonly plan: QnnGraphPlan;
  readonly cell: CellId;
  readonly paths: WeightPaths;
  readonly options: PartOptions['graph'];
  readonly libraries: QairtLibraries;
  /** A folder for the binary, which is removed by the caller. */
  readonly scratch: string;
  /** Told of every run: codes of all inputs and outputs by the names of the plan. Inputs are in the caller's memory, which changes afterwards. */
  readonly onRun?: (codes: ReadonlyMap<string, QnnData>) => void;
}

export interface OpenedPlan {
  /** Names and order of inputs and outputs are those of the plan. Closing it does nothing: the child ends its graphs. */
  readonly executable: Executable;
  /** What the compiled binary says of itself. */
  readonly binary: BinaryGraph;
}

/** @param child has opened the HTP backend with its chip @throws QAIRT_OPERATION_UNSUPPORTED and the other errors of `Child.call` */
export async function openPlan(child: Child, { plan, cell, paths, options, libraries, scratch, onRun }: OpenPlanRequest): Promise<OpenedPlan> {
  const subject = { subject: plan.name };
  const context = await child.call('createContext', { weightSharing: false });
  const graph = await finalizedGraph(child, context, plan, { options, paths });
  const path = join(scratch, `${plan.name}-${context}.bin`);
  await child.call('writeBinary', { context, path }, subject);
  const info = await child.call('inspect', { systemLibrary: libraryPath(libraries, 'system'), path }, subject);
  const io = ioTable(plan, cell);
  const execute = executableGraph(child, graph, plan);
  const run = async (given: ReadonlyMap<string, TensorData>): Promise<Map<string, TensorData>> => {
    const inputs = Object.fromEntries(given) as Record<string, QnnData>;
    const outputs = new Map(Object.entries(await execute(inputs)));
    onRun?.(new Map([...Object.entries(inputs), ...outputs]));
    return outputs as Map<string, TensorData>;
  };
  return {
    executable: { graphs: [io], prepare: () => Promise.resolve(), run: (_graph, inputs) => run(inputs), close: () => Promise.resolve() },
    binary: describeGraph(info.graphs[0] as (typeof info.graphs)[number]),
  };
}
