/** Logits of parts of the mini-llama under the runtime's own engine: in half precision in the emulator, and by the host. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCheckpoint, ropeFrequencies } from '@tundish/checkpoint';
import { FLOAT16_MASK, FLOAT_MASK } from '@tundish/quantize';
import { Engine } from '@tundish/runtime';
import type { Executable } from '@tundish/toolchain';
import { type QairtLibraries, composeGraph, openPlan, withEmulator } from '@tundish/toolchain-qairt';
import { openOnHost } from './compare-with-emulator.js';
import { CHECKPOINT, type LlamaPart } from './llama-parts.js';
import { type ComparedPosition, comparePositions } from './logit-agreement.js';

const VOCABULARY = 4096;

/** Logits [tokens, vocabulary] of each text, from an empty cache. */
export type Logits = readonly Float32Array[];

export async function hostLogits(parts: readonly LlamaPart[], texts: readonly Int32Array[]): Promise<Logits> {
  const opened = (await openOnHost(parts, 'exact')).map(({ executable }) => executable);
  try {
    return await logitsOf(opened, texts, FLOAT_MASK);
  } finally {
    await Promise.all(opened.map((executable) => executable.close()));
  }
}

/** In half precision. @param parts all of one AR and CL, in order */
export async function emulatorLogits(libraries: QairtLibraries, parts: readonly LlamaPart[], texts: readonly Int32Array[], soc = 69): Promise<Logits> {
  const scratch = mkdtempSync(join(tmpdir(), 'tundish-logits-'));
  try {
    return await withEmulator({ libraries, soc }, async (child) => {
      const opened: Executable[] = [];
      for (const { model, encodings, name, cell, paths } of parts) {
        const plan = composeGraph(model, encodings, name, { precision: 'fp16' });
        opened.push((await openPlan(child, { plan, cell, paths, options: { optimization: 3, vtcmMegabytes: 8 }, libraries, scratch })).executable);
      }
      return logitsOf(opened, texts, FLOAT16_MASK);
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function logitsOf(executables: readonly Executable[], texts: readonly Int32Array[], maskValue: number): Promise<Logits> {
  const { config } = await openCheckpoint(CHECKPOINT, { knownModelTypes: ['llama'] });
  const engine = new Engine(executables, { vocabularySize: VOCABULARY, rope: ropeFrequencies(config), maskValue, padToken: 0 });
  const results: Float32Array[] = [];
  for (const text of texts) {
    engine.reset();
    const rows = new Float32Array(text.length * VOCABULARY);
    let at = 0;
    for await (const chunk of engine.score(text)) {
      rows.set(chunk, at);
      at += chunk.length;
    }
    results.push(rows);
  }
  return results;
}

/** Every position of every text. */
export function compareTexts(texts: readonly Int32Array[], device: Logits, host: Logits): ComparedPosition[] {
  return texts.flatMap((text, i) => comparePositions({ device: device[i] as Float32Array, host: host[i] as Float32Array, scale: 1, vocabulary: VOCABULARY, next: text.subarray(1) }));
}
