/** The graphs of one AR and CL as they were converted for the device, with what the simulation knows of each. */
import { readFile } from 'node:fs/promises';
import type { Encodings, Graph } from '@tundish/graph';
import { type Pipeline, readEncodings, readGraph } from '@tundish/stages';
import { pairOf } from '@tundish/stages/lock';
import { type CellId, graphName } from '@tundish/toolchain';
import { type QnnGraphPlan, type WeightPaths, decodePlan, planFile, weightPaths } from '@tundish/toolchain-qairt';
import { cliError } from '../errors.js';

export interface DeviceGraph {
  readonly cell: CellId;
  /** As convert made it. */
  readonly plan: QnnGraphPlan;
  readonly paths: WeightPaths;
  /** The adapted graph that it was made from. */
  readonly graph: Graph;
  /** By which the host simulates it. */
  readonly encodings: Encodings;
}

/** AR and CL whose graphs are measured. */
export interface Pair {
  readonly ar: number;
  readonly cl: number;
}

/** @param name as `ar32-cl256`; absent: the largest AR, which has most rows a pass, with the smallest CL @throws CLI_USAGE */
export function chosenPair({ cells }: Pipeline['lock'], name?: string): Pair {
  const pairs = Object.values(cells).sort((a, b) => b.ar - a.ar || a.cl - b.cl);
  const pair = name === undefined ? pairs[0] : pairs.find((cell) => pairOf(cell) === name);
  if (pair === undefined) throw cliError('CLI_USAGE', { what: `the model has no graphs ${name ?? ''}`, fix: `name one of ${[...new Set(pairs.map(pairOf))].join(', ')}` });
  return { ar: pair.ar, cl: pair.cl };
}

/** All parts in their order; what is missing is built. */
export async function deviceGraphs(pipeline: Pipeline, { ar, cl }: Pair): Promise<DeviceGraph[]> {
  const units = Object.entries(pipeline.lock.cells).filter(([, cell]) => cell.ar === ar && cell.cl === cl).sort(([, a], [, b]) => a.part - b.part);
  const graphs: DeviceGraph[] = [];
  for (const [subject, cell] of units) {
    const converted = await pipeline.input({ stage: 'convert', subject });
    const path = converted.path(planFile(graphName(cell)));
    const plan = decodePlan(await readFile(path), path);
    const transformed = await pipeline.input({ stage: 'transform', subject });
    const model = await readGraph(transformed);
    const encodings = (await readEncodings(model, transformed)) ?? { activations: new Map(), parameters: new Map() };
    graphs.push({ cell, plan, paths: weightPaths([plan], (location) => converted.resolve(location)), graph: model.graph, encodings });
  }
  return graphs;
}
