/** Containers of parts of the mini-llama: written by every build, composed back, executed, and held against the plans. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { chipByName } from '@tundish/recipe/chips';
import { type Precision, type QairtLibraries, type QnnGraphPlan, compareDlc, composeGraph, describeLibraries, exportDlc, inspectDlc, writeDlc } from '@tundish/toolchain-qairt';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensureAddon } from '../../../native/test/built-addon.js';
import { type LlamaPart, llamaParts } from './llama-parts.js';
import { describeWith, realLibraries } from './real-libraries.js';
import { onSmallDisk } from './small-disk.js';

const real = realLibraries();
const OPTIONS = { chip: chipByName('SM8750'), graph: { optimization: 3, vtcmMegabytes: 8 } };

interface Planned {
  readonly plan: QnnGraphPlan;
  readonly paths: LlamaPart['paths'];
}

let scratch: string;
let lpbq: Planned[];
let narrow: Planned[];
let wide: Planned[];
let half: Planned[];
beforeAll(async () => {
  ensureAddon();
  scratch = mkdtempSync(join(tmpdir(), 'tundish-dlc-'));
  if (real.length === 0) return;
  const partsOf = (weights: string): Promise<LlamaPart[]> => llamaParts('{ ar: [32], cl: [128], parts: 2 }', weights);
  const plannedAs = (precision: Precision) => ({ model, encodings, name, paths }: LlamaPart): Planned => ({ plan: composeGraph(model, encodings, name, { precision }), paths });
  const planned = async (weights: string): Promise<Planned[]> => (await partsOf(weights)).map(plannedAs('codes'));
  lpbq = await planned('weights: { scheme: lpbq, bits: 4, blockSize: 32 }');
  narrow = (await planned('weights: { scheme: per_channel, bits: 4 }')).slice(0, 1);
  const parts = await partsOf('weights: { scheme: per_channel, bits: 8 }');
  wide = parts.map(plannedAs('codes'));
  half = parts.map(plannedAs('fp16'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function written(libraries: QairtLibraries, { plan, paths }: Planned): Promise<string> {
  const target = join(mkdtempSync(join(scratch, 'dlc-')), `${plan.name}.dlc`);
  expect(await writeDlc(libraries, plan, paths, target)).toBe(readFileSync(target).length);
  return target;
}

describeWith(real, '%s', (_title, libraries) => {
  it('writes weights of 4 bits so that both parts compute the same codes, or says that it cannot', async () => {
    const isOld = (await describeLibraries(libraries)).release === '2.47';
    for (const { plan, paths } of [...lpbq, ...narrow]) {
      const target = join(mkdtempSync(join(scratch, 'dlc-')), 'a.dlc');
      const done = exportDlc(libraries, { plan, paths, options: OPTIONS }, target);
      if (!isOld) expect(await done).toBe(readFileSync(target).length);
      else await expect(done).rejects.toMatchObject({ code: 'QAIRT_DLC_BUILD', what: expect.stringContaining('v2.47.') as string });
      expect(readdirSync(dirname(target))).toEqual(isOld ? [] : ['a.dlc']);
    }
  });

  it('writes weights of 8 bits so that every code of every output is the same, and every bit of half floats', async () => {
    for (const planned of [...wide, ...half]) {
      const outputs = await compareDlc(libraries, await written(libraries, planned), { ...planned, options: OPTIONS });
      expect(outputs.map(({ name }) => name)).toEqual(planned.plan.outputs.map(({ name }) => name));
      expect(outputs.filter(({ differing, codes }) => differing > 0 || codes < 1000)).toEqual([]);
    }
  });

  it('writes the same bytes at another time, over what was there', async () => {
    const [planned] = wide as [Planned];
    const first = await written(libraries, planned);
    const bytes = readFileSync(first);
    // The library writes the second.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    writeFileSync(first, 'another file');
    await writeDlc(libraries, planned.plan, planned.paths, first);
    expect(readFileSync(first).equals(bytes)).toBe(true);
    expect(JSON.stringify((await inspectDlc(first)).metadata)).toContain('1970-01-01 00:00:00 UTC');
  });

  it('leaves nothing where the disk is full, or the folder is not there', async ({ skip }) => {
    const [{ plan, paths }] = wide as [Planned];
    await expect(writeDlc(libraries, plan, paths, join(scratch, 'absent', 'a.dlc'))).rejects.toMatchObject({ code: 'QAIRT_FILE' });
    await expect(writeDlc(libraries, plan, paths, '/proc/self/a.dlc')).rejects.toMatchObject({ code: 'QAIRT_FILE' });
    const done = await onSmallDisk(async (disk) => {
      await expect(writeDlc(libraries, plan, paths, join(disk, 'a.dlc'))).rejects.toMatchObject({ code: 'QAIRT_FILE', why: expect.stringContaining('disk is full') as string });
      expect(readdirSync(disk)).toEqual([]);
    });
    skip(!done, 'mounting a small disk needs root');
  });
});

describeWith(real.slice(0, 1), 'a container of another graph, with %s,', (_title, libraries) => {
  it('is told from the one that was written by its name and its tensors', async () => {
    const [first, second] = wide as [Planned, Planned];
    const dlc = await written(libraries, first);
    await expect(compareDlc(libraries, dlc, { ...second, options: OPTIONS })).rejects.toMatchObject({ code: 'QAIRT_DLC_DIFFERS' });
    const [input, ...others] = first.plan.inputs as [QnnGraphPlan['inputs'][number]];
    const plan = { ...first.plan, inputs: [{ ...input, dims: [1, 33] }, ...others] };
    await expect(compareDlc(libraries, dlc, { plan, paths: first.paths, options: OPTIONS })).rejects.toMatchObject({ code: 'QAIRT_DLC_DIFFERS', why: expect.stringContaining('[1,33]') as string });
  });

  it('is told by its codes', async () => {
    const [first] = wide as [Planned];
    const [narrowOne] = narrow as [Planned];
    const dlc = await written(libraries, first);
    const outputs = await compareDlc(libraries, dlc, { ...narrowOne, plan: { ...narrowOne.plan, inputs: first.plan.inputs, outputs: first.plan.outputs }, options: OPTIONS });
    expect(outputs.every(({ differing, max, mean }) => differing > 0 && max >= 1 && mean > 0)).toBe(true);
  });
});
