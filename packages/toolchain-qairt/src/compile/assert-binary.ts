/** Holds a compiled binary against what was asked for, as the vendor's System library reads it: the compiler takes wrong wishes in silence. */
import { isDeepStrictEqual } from 'node:util';
import { printable } from '@tundish/diagnostics';
import { LARGEST_BINARY } from '@tundish/recipe/chips';
import type { QnnGraphPlan } from '../compose/plan.js';
import type { BinaryGraph, BinaryTensor, ContextBinary } from '../inspection/context-binary.js';
import { elementName } from '../inspection/element-types.js';
import { qairtError } from '../libraries/errors.js';
import type { PartOptions } from './options.js';

/** @throws QAIRT_BINARY_DIFFERS naming everything that differs */
export function assertBinary(binary: ContextBinary, plans: readonly QnnGraphPlan[], { chip, graph, weightSharing }: PartOptions): void {
  const shares = weightSharing && plans.length > 1;
  const differences = [
    ...difference('SoC id', binary.socModel, chip.socModel),
    ...difference('Hexagon version', binary.hexagon, chip.hexagon),
    ...difference('graphs', binary.graphs.map(({ name }) => name).sort(), plans.map(({ name }) => name).sort()),
    ...(binary.bytes > LARGEST_BINARY ? [`${binary.bytes} bytes, a device maps ${LARGEST_BINARY}`] : []),
    ...plans.flatMap((plan) => {
      const made = binary.graphs.find(({ name }) => name === plan.name);
      return made === undefined ? [] : graphDifferences(made, plan, { vtcmBytes: graph.vtcmMegabytes * 2 ** 20, optimizationLevel: graph.optimization, shares });
    }),
  ];
  if (differences.length === 0) return;
  throw qairtError('QAIRT_BINARY_DIFFERS', {
    what: `the compiled binary is not what was asked for: ${differences.slice(0, 6).join('; ')}${differences.length > 6 ? `, and ${differences.length - 6} more` : ''}`,
    why: 'the compiler takes options that it does not know, or cannot keep, without a word',
    evidence: { path: binary.path },
    fix: binary.bytes > LARGEST_BINARY ? 'write more graphs.parts' : 'use a build of the libraries that is tested: npx tundish toolchain list',
  });
}

function graphDifferences({ name, inputs, outputs, memory }: BinaryGraph, plan: QnnGraphPlan, wanted: { readonly vtcmBytes: number; readonly optimizationLevel: number; readonly shares: boolean }): string[] {
  return [
    ...difference(`inputs of ${name}`, inputs.map(readRow), plan.inputs.map(plannedRow)),
    ...difference(`outputs of ${name}`, outputs.map(readRow), plan.outputs.map(plannedRow)),
    ...(memory === null ? [] : [
      ...difference(`VTCM of ${name}`, memory.vtcmBytes, wanted.vtcmBytes),
      ...difference(`optimization of ${name}`, memory.optimizationLevel, wanted.optimizationLevel),
      ...(wanted.shares && memory.sharedWeightBytes === 0 ? [`${name} shares no weights`] : []),
    ]),
  ];
}

type Row = Readonly<Record<string, unknown>>;

function readRow({ name, dtype, shape, quantization }: BinaryTensor): Row {
  return { name, dtype, shape, quantization };
}

function plannedRow({ name, element, dims, quantization }: QnnGraphPlan['inputs'][number]): Row {
  return { name, dtype: elementName(element), shape: [...dims], quantization: quantization ?? null };
}

function difference(what: string, found: unknown, wanted: unknown): string[] {
  if (isDeepStrictEqual(found, wanted)) return [];
  const index = Array.isArray(found) && Array.isArray(wanted) && found.length === wanted.length ? found.findIndex((each, i) => !isDeepStrictEqual(each, (wanted as unknown[])[i])) : -1;
  const shown = (value: unknown): string => printable(JSON.stringify(index < 0 ? value : (value as unknown[])[index]), 160);
  return [`${what}: ${shown(found)}, not ${shown(wanted)}`];
}
