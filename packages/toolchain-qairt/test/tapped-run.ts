/** Runs tapped parts of a model in the vendor's emulator over text, and keeps every code of the last pass. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { QnnData } from '@tundish/native/qnn';
import type { TensorData } from '@tundish/toolchain';
import { type BinaryGraph, type QairtLibraries, type QnnGraphPlan, composeGraph, openPlan, tapPlan, withEmulator } from '@tundish/toolchain-qairt';
import { type Codes, type CodeTensor, runOnCodes } from './code-runner.js';
import type { LlamaPart } from './llama-parts.js';

export interface TappedRun {
  readonly part: LlamaPart;
  /** As it was composed. */
  readonly plan: QnnGraphPlan;
  /** Of the tapped plan. */
  readonly binary: BinaryGraph;
  /** Codes of inputs and activations in the last pass. */
  readonly codes: ReadonlyMap<string, QnnData>;
}

/** @param parts all of one AR and CL, in order; AR divides the number of tokens */
export async function runTapped(libraries: QairtLibraries, parts: readonly LlamaPart[], tokens: Int32Array): Promise<TappedRun[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'tundish-tapped-'));
  try {
    return await withEmulator({ libraries, soc: 69 }, async (child) => {
      const opened = [];
      for (const part of parts) {
        const plan = composeGraph(part.model, part.encodings, part.name, part.options);
        let codes: ReadonlyMap<string, QnnData> = new Map();
        const one = await openPlan(child, { plan: tapPlan(plan), cell: part.cell, paths: part.paths, options: { optimization: 3, vtcmMegabytes: 8 }, libraries, scratch, onRun: (run) => (codes = new Map([...run].map(([name, data]) => [name, data.slice()]))) });
        opened.push({ part, plan, ...one, codesOf: () => codes });
      }
      const ios = opened.map(({ plan, executable: { graphs: [io] } }) => ({ inputs: io?.inputs as CodeTensor[], outputs: (io?.outputs as CodeTensor[]).slice(0, plan.outputs.length) }));
      await runOnCodes(ios, (parts[0] as LlamaPart).cell, tokens, async (i, inputs) => Object.fromEntries(await (opened[i] as (typeof opened)[number]).executable.run('', new Map(Object.entries(inputs) as [string, TensorData][]))) as Record<string, Codes>);
      return opened.map(({ part, plan, binary, codesOf }) => ({ part, plan, binary, codes: codesOf() }));
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
