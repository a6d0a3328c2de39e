/** Plans composed, finalized and written as one context binary. */
import type { Child } from '../child/child.js';
import type { WeightPaths } from '../compose/compose-into.js';
import type { QnnGraphPlan } from '../compose/plan.js';
import { ERRORS_ONLY } from '../child/protocol.js';
import { type QairtLibraries, libraryPath } from '../libraries/find.js';
import type { PartOptions } from './options.js';

/** What compiling a part and proving it have in common. */
export interface PartWork {
  readonly libraries: QairtLibraries;
  readonly signal: AbortSignal;
  readonly options: PartOptions;
  /** AR ascending, then CL. */
  readonly plans: readonly QnnGraphPlan[];
  readonly paths: WeightPaths;
}

export interface BinaryRequest {
  readonly plans: readonly QnnGraphPlan[];
  readonly weightSharing: boolean;
  /** Where the binary is written; no file is there yet. */
  readonly path: string;
  readonly report?: (done: number) => void;
}

/** @returns handles of the context and of its graphs, which can be executed while the child lives */
export async function composeBinary(child: Child, { libraries, options, paths }: PartWork, { plans, weightSharing, path, report }: BinaryRequest): Promise<{ readonly context: number; readonly graphs: readonly number[] }> {
  await child.call('openBackend', { library: libraryPath(libraries, 'htp'), logLevel: ERRORS_ONLY, soc: options.chip.socModel });
  const context = await child.call('createContext', { weightSharing });
  const graphs: number[] = [];
  for (const plan of plans) {
    report?.(graphs.length);
    const graph = await child.call('composePlan', { context, plan, paths, options: options.graph }, { subject: plan.name });
    await child.call('finalize', { graph }, { subject: plan.name });
    graphs.push(graph);
  }
  await child.call('writeBinary', { context, path }, { subject: path });
  report?.(graphs.length);
  return { context, graphs };
}
