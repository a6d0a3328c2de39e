/** Plans composed, finalized and written as one context binary. */
import type { Child } from '../child/child.js';
import type { WeightPaths } from '../compose/compose-into.js';
import type { QnnGraphPlan } from '../compose/plan.js';
import type { QairtLibraries } from '../libraries/find.js';
import type { PartOptions } from './options.js';

/** What the binary of a part and its twin have in common. */
export interface PartWork {
  readonly libraries: QairtLibraries;
  readonly signal: AbortSignal;
  readonly options: PartOptions;
  readonly paths: WeightPaths;
}

export interface BinaryRequest {
  /** AR ascending, then CL. */
  readonly plans: readonly QnnGraphPlan[];
  readonly weightSharing: boolean;
  /** Where the binary is written; no file is there yet. */
  readonly path: string;
  readonly report?: (done: number) => void;
}

/** @returns handles of the graphs, which can be executed while the child lives */
export async function composeBinary(child: Child, { options, paths }: Pick<PartWork, 'options' | 'paths'>, { plans, weightSharing, path, report }: BinaryRequest): Promise<readonly number[]> {
  const context = await child.call('createContext', { weightSharing });
  const graphs: number[] = [];
  for (const plan of plans) {
    report?.(graphs.length);
    graphs.push(await finalizedGraph(child, context, plan, { options: options.graph, paths }));
  }
  await child.call('writeBinary', { context, path }, { subject: path });
  report?.(graphs.length);
  return graphs;
}

/** @returns handle of a graph that is ready to be executed, or written with its context */
export async function finalizedGraph(child: Child, context: number, plan: QnnGraphPlan, { options, paths }: { readonly options: PartOptions['graph']; readonly paths: WeightPaths }): Promise<number> {
  const graph = await child.call('composePlan', { context, plan, paths, options }, { subject: plan.name });
  await child.call('finalize', { graph }, { subject: plan.name });
  return graph;
}
