/** The table of a run, and the records that it is made of. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Lock } from '@tundish/recipe';
import { describe, expect, it } from 'vitest';
import { pruneRuns, readRecords, remoteMarks, writeRecord } from '../src/run/run-record.js';
import { remoteLines, summaryTable } from '@tundish/cli/summary';
import { emptyFolder } from './temporary-workspace.js';

const cell = (ar: number, cl: number): Lock['cells'][string] => ({ ar, cl, part: 1, parts: 1 });
const LOCK = {
  cells: { 'ar1-cl1024-1of1': cell(1, 1024), 'ar1-cl512-1of1': cell(1, 512) },
  parts: { part1of1: { part: 1, parts: 1, cells: ['ar1-cl512-1of1', 'ar1-cl1024-1of1'] } },
} as unknown as Lock;

describe('summary', () => {
  it('says for each task whether it ran, came from the store or from Nx', () => {
    const root = emptyFolder();
    const run = { id: '77', startedAt: 1000 };
    writeRecord(root, run, { task: 'tiny:load', status: 'cached', seconds: 0.02, bytesWritten: 0, outputs: 3 });
    writeRecord(root, run, { task: 'tiny:quantize', status: 'run', seconds: 1.5, bytesWritten: 1_000_000, outputs: 4, pieces: { cached: 12, total: 18 } });
    writeRecord(root, run, { task: 'tiny/part1of1:compile', status: 'run', seconds: 12.34, bytesWritten: 2_345_678, outputs: 4 });
    expect(summaryTable('tiny', LOCK, readRecords(root, run), 14.2).join('\n')).toMatchInlineSnapshot(`
      "stage                      result                              time  written
      -------------------------  --------------------------------  ------  -------
      load                       cached (store)                    0.02 s      0 B
      optimize                   cached (Nx)                                   0 B
      quantize                   run (12 of 18 blocks from cache)  1.50 s   1.0 MB
      arcl                       cached (Nx)                                   0 B
      transform ar1-cl512-1of1   cached (Nx)                                   0 B
      convert ar1-cl512-1of1     cached (Nx)                                   0 B
      transform ar1-cl1024-1of1  cached (Nx)                                   0 B
      convert ar1-cl1024-1of1    cached (Nx)                                   0 B
      compile part1of1           run                               12.3 s   2.3 MB
      package                    cached (Nx)                                   0 B
      total                      2 run, 8 cached                   14.2 s   3.3 MB"
    `);
  });

  it('says what came from the remote cache, the files of the container among it', () => {
    const root = emptyFolder();
    const run = { id: '78', startedAt: 1000 };
    const record = { seconds: 0.02, cpuSeconds: 0, peakRssBytes: 0, bytesWritten: 0, outputs: 3 };
    writeRecord(root, run, { task: 'tiny:load', status: 'cached', ...record, remote: { results: 1, down: 1500, up: 0 } });
    writeRecord(root, run, { task: 'tiny:arcl', status: 'cached', ...record, remote: { results: 2, down: 2500, up: 0 } });
    writeRecord(root, run, { task: 'tiny:optimize', status: 'cached', ...record, remote: { results: 0, down: 0, up: 0 } });
    writeRecord(root, run, { task: 'tiny:quantize', status: 'run', ...record, remote: { results: 0, down: 0, up: 1_000_000 } });
    const records = readRecords(root, run);
    expect(summaryTable('tiny', LOCK, records, 1).slice(2, 6).map((line) => line.split(/ {2,}/)[1])).toEqual(['cached (remote)', 'cached (store)', 'run', 'cached (remote)']);
    expect(remoteLines(records, { down: 6000, up: 0 })).toEqual(['remote cache: 3 results found, 10.0 kB down, 1.0 MB up']);
    expect(remoteLines(new Map(), undefined)).toEqual([]);
  });

  it('lets one process of a run warn about the remote cache, and the others know', () => {
    const root = emptyFolder();
    const [one, two] = [{ id: '79', startedAt: 1000 }, { id: '80', startedAt: 1001 }].map((run) => remoteMarks(root, run));
    expect([one?.isSet('down'), one?.set('down'), one?.set('down'), one?.isSet('down'), one?.isSet('refuses')]).toEqual([false, true, false, true, false]);
    expect(two?.isSet('down')).toBe(false);
    expect([...readRecords(root, { id: '79', startedAt: 1000 })]).toEqual([]);
  });

  it('keeps the newest runs', () => {
    const root = emptyFolder();
    for (let i = 0; i < 14; i += 1) writeRecord(root, { id: `${i}`, startedAt: 1_700_000_000_000 + i }, { task: 'a:b', status: 'run', seconds: 0, bytesWritten: 0, outputs: 0 });
    pruneRuns(root);
    const kept = readdirSync(join(root, '.tundish/runs'));
    expect(kept).toHaveLength(10);
    expect(existsSync(join(root, '.tundish/runs/1700000000013-13'))).toBe(true);
  });
});
