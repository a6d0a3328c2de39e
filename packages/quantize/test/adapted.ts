/** Real adapted graphs for these tests, their weight files and their calibration inputs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Adapted, architectureFor } from '@tundish/architectures';
import { openCheckpoint, ropeFrequencies } from '@tundish/checkpoint';
import { afterAll } from 'vitest';
import type { CalibrationInputs, SegmentPlan } from '../src/index.js';

export function repositoryPath(relative: string): string {
  return fileURLToPath(new URL(`../../../${relative}`, import.meta.url));
}

const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tundish-quantize-'));
  folders.push(folder);
  return folder;
}

export interface AdaptedCheckpoint extends Adapted {
  readonly plan: SegmentPlan;
  resolve(location: string): string;
  /** Windows of ids that follow a fixed rule: calibration cares for ranges, not for sense. */
  calibration(windows: number, length: number): CalibrationInputs;
}

export async function adapt(folder: string, ar: number, cl: number): Promise<AdaptedCheckpoint> {
  const checkpoint = await openCheckpoint(folder, { knownModelTypes: ['llama'] });
  const { model, adaptation } = architectureFor('llama').adapt(checkpoint, { baseAr: ar, baseCl: cl });
  const { inverseFrequencies, attentionScaling } = ropeFrequencies(checkpoint.config);
  const table = (f: (angle: number) => number, length: number): Float32Array =>
    Float32Array.from({ length: length * inverseFrequencies.length }, (_, i) => attentionScaling * f(Math.floor(i / inverseFrequencies.length) * (inverseFrequencies[i % inverseFrequencies.length] ?? 0)));
  return {
    model,
    adaptation,
    plan: { boundaries: [adaptation.embedding, ...adaptation.layers.map(({ hiddenOut }) => hiddenOut)] },
    resolve: (location) => join(folder, location),
    calibration: (windows, length) => ({
      windows: Array.from({ length: windows }, (_, w) => Int32Array.from({ length }, (_id, i) => (w * 131 + i * 37) % adaptation.dims.vocab)),
      cos: table(Math.cos, length),
      sin: table(Math.sin, length),
      attentionScaling,
    }),
  };
}
