/** Holds a written container against the plan that it was written from: composed back by the compiler, and both executed. */
import { isDeepStrictEqual } from 'node:util';
import { printable } from '@tundish/diagnostics';
import type { QnnData, QnnTensorInfo } from '@tundish/native/qnn';
import type { Child } from '../child/child.js';
import { finalizedGraph } from '../compile/compose-binary.js';
import type { PartOptions } from '../compile/options.js';
import { sampleInputs } from '../compile/sample-inputs.js';
import type { WeightPaths } from '../compose/compose-into.js';
import type { PlannedTensor, QnnGraphPlan } from '../compose/plan.js';
import { elementName } from '../inspection/element-types.js';
import { type OpenedGraph, executableGraph } from '../inspection/open-binary.js';
import { type QairtLibraries, libraryPath } from '../libraries/find.js';
import { withEmulator } from '../libraries/with-emulator.js';
import { exportError } from './errors.js';

/** Of the codes of one output: those of the container minus those of the plan. */
export interface CodeDistance {
  readonly name: string;
  readonly codes: number;
  readonly differing: number;
  /** Absolute, in steps of the output. */
  readonly mean: number;
  readonly max: number;
}

export interface DlcRequest {
  readonly plan: QnnGraphPlan;
  readonly paths: WeightPaths;
  /** The chip that both are compiled for in the emulator, and how. */
  readonly options: Pick<PartOptions, 'chip' | 'graph'>;
  readonly signal?: AbortSignal;
}

/**
 * Composing a container back leaves inputs and outputs in the order in which its graph first needs them: they are told apart by name.
 *
 * @returns the distance of every output, in the order of the plan
 * @throws QAIRT_DLC_DIFFERS when graph, inputs or outputs are not those of the plan, and the errors of `Child.call`
 */
export async function compareDlc(libraries: QairtLibraries, dlc: string, { plan, paths, options, signal }: DlcRequest): Promise<CodeDistance[]> {
  return withEmulator({ libraries, soc: options.chip.socModel, ...(signal === undefined ? {} : { signal }) }, async (child) => {
    const inputs = sampleInputs(plan);
    const written = await (await composedBack(child, libraries, dlc, plan))(inputs);
    const context = await child.call('createContext', { weightSharing: false });
    const graph = await finalizedGraph(child, context, plan, { options: options.graph, paths });
    const planned = await executableGraph(child, graph, plan)(inputs);
    return plan.outputs.map(({ name }) => distanceOf(name, written[name] as QnnData, planned[name] as QnnData));
  });
}

/** With the options of the library: a container has no other. */
async function composedBack(child: Child, libraries: QairtLibraries, dlc: string, plan: QnnGraphPlan): Promise<OpenedGraph> {
  const context = await child.call('createContext', { weightSharing: false });
  const graphs = await child.call('composeDlc', { context, systemLibrary: libraryPath(libraries, 'system'), path: dlc }, { subject: dlc });
  const [described] = graphs;
  if (described?.name !== plan.name || graphs.length > 1) throw differs(dlc, `its graphs are ${graphs.map(({ name }) => printable(name)).join(', ')}, not ${plan.name}`);
  for (const side of ['inputs', 'outputs'] as const) assertSame(dlc, side, described[side].map(readRow), plan[side].map(plannedRow));
  const graph = await child.call('openGraph', { context, name: described.name, inputs: described.inputs, outputs: described.outputs }, { subject: described.name });
  await child.call('finalize', { graph }, { subject: described.name });
  return executableGraph(child, graph, plan);
}

interface Row {
  readonly name: string;
  readonly type: string;
}

function assertSame(dlc: string, side: string, found: readonly Row[], wanted: readonly Row[]): void {
  const byName = (rows: readonly Row[]): Map<string, Row> => new Map(rows.map((row) => [row.name, row]));
  const [read, planned] = [byName(found), byName(wanted)];
  const [name] = [...new Set([...planned.keys(), ...read.keys()])].filter((each) => !isDeepStrictEqual(read.get(each), planned.get(each)));
  if (name !== undefined) throw differs(dlc, `its ${side} have ${printable(JSON.stringify(read.get(name) ?? null), 200)} where the plan has ${printable(JSON.stringify(planned.get(name) ?? null), 200)}`);
}

function readRow({ name, element, dims, quantization }: QnnTensorInfo): Row & Readonly<Record<string, unknown>> {
  return { name, type: elementName(element), shape: [...dims], quantization };
}

function plannedRow({ name, element, dims, quantization }: PlannedTensor): Row & Readonly<Record<string, unknown>> {
  return { name, type: elementName(element), shape: [...dims], quantization };
}

function differs(path: string, why: string): Error {
  return exportError('QAIRT_DLC_DIFFERS', { what: `${printable(path)} does not hold the graph that was written`, why, evidence: { path }, fix: 'use another build of the libraries: npx tundish toolchain list' });
}

function distanceOf(name: string, written: QnnData, planned: QnnData): CodeDistance {
  let [sum, max, differing] = [0, 0, 0];
  for (let i = 0; i < planned.length; i++) {
    const difference = Math.abs((written[i] as number) - (planned[i] as number));
    if (difference === 0) continue;
    differing++;
    sum += difference;
    max = Math.max(max, difference);
  }
  return { name, codes: planned.length, differing, mean: sum / planned.length, max };
}
