import { describe, expect, test } from 'vitest';
import { ProgressDisplay, type Progress } from '@tundish/diagnostics';

const ERASE = '\r\u001b[K';
const blocks = (done: number, total = 18, bytes?: Progress['bytes']): Progress => ({ work: 'quantize', label: 'blocks', done, total, ...(bytes === undefined ? {} : { bytes }) });
const terminal = (columns = 100, color = false): ProgressDisplay => new ProgressDisplay({ columns, color });
/** Reports block after block, one each `step` milliseconds with `bytes` more. @returns everything written */
function run(display: ProgressDisplay, upTo: number, step: number, bytes = 0): string[] {
  return Array.from({ length: upTo + 1 }, (_, done) => display.update(blocks(done, 18, bytes === 0 ? undefined : { done: done * bytes }), done * step)).filter((text) => text !== '');
}

describe('in a terminal', () => {
  test('a bar shows blocks, bytes a second and the time left', () => {
    const frames = run(terminal(), 7, 2000, 424e6);
    expect(frames.at(-1)).toBe(`${ERASE}quantize  [###########...................] blocks 7 of 18  212 MB/s  ETA 22 s`);
  });

  test('work that ends in under a second writes nothing', () => {
    expect(run(terminal(), 18, 50)).toEqual([]);
    const display = terminal();
    display.update(blocks(0), 0);
    expect(display.tick(999)).toBe('');
    expect(display.tick(1000)).toBe(`${ERASE}quantize  [..............................] blocks 0 of 18  1 s so far`);
  });

  test('the line is removed when the work ends, and when it fails', () => {
    const display = terminal();
    expect(run(display, 17, 1000)).not.toEqual([]);
    expect(display.update(blocks(18), 18_000)).toBe(ERASE);
    expect(display.busy).toBe(false);
    const failed = terminal();
    run(failed, 3, 1000);
    expect(failed.close()).toBe(ERASE);
    expect(failed.close()).toBe('');
  });

  test('it is drawn at most ten times a second, and only when it changed', () => {
    const display = terminal();
    display.update(blocks(0, 100_000), 0);
    const frames = Array.from({ length: 3000 }, (_, ms) => display.update(blocks(ms + 1, 100_000), ms)).filter((text) => text !== '');
    expect(frames.length).toBe(20);
    const still = terminal();
    still.update(blocks(0), 0);
    expect([1000, 1200, 1400, 2000].map((now) => still.tick(now) !== '')).toEqual([true, false, false, true]);
  });

  test('the bar takes the room there is, and no frame reaches the last column', () => {
    for (const columns of [1, 10, 40, 47, 60, 80, 200]) {
      const frame = run(terminal(columns), 7, 1000).at(-1)?.slice(ERASE.length) ?? '';
      expect(frame.length).toBeLessThan(columns);
      expect(/\[[#.]{5,30}\]/.test(frame)).toBe(columns >= 47);
    }
  });

  test('colour is only where it is allowed', () => {
    expect(run(terminal(100, true), 9, 1000).at(-1)).toContain('[\u001b[32m###############\u001b[39m....');
    expect(run(terminal(100, false), 9, 1000).join('').replaceAll(ERASE, '')).not.toContain('\u001b');
  });

  test('a message takes the place of the bar, which is drawn again below it', () => {
    const display = terminal();
    run(display, 2, 1000);
    expect(display.message('warning: careful')).toBe(`${ERASE}warning: careful\n`);
    expect(display.message('and more')).toBe('and more\n');
    expect(display.tick(2100)).toContain('blocks 2 of 18');
  });

  test('of works inside each other the outermost is shown', () => {
    const display = terminal();
    display.update({ work: 'arcl', label: 'pairs', done: 0, total: 2 }, 0);
    display.update({ work: 'store', label: 'files', done: 0, total: 3 }, 100);
    expect(display.tick(2000)).toContain('arcl');
    expect(display.update({ work: 'store', label: 'files', done: 3, total: 3 }, 2100)).toBe('');
    expect(display.update({ work: 'arcl', label: 'pairs', done: 2, total: 2 }, 2200)).toBe(ERASE);
  });
});

describe('elsewhere', () => {
  test('a line tells each quarter, without escape codes', () => {
    expect(run(new ProgressDisplay(), 18, 500, 106e6)).toEqual([
      'quantize: blocks 5 of 18, 28 %, 212 MB/s, about 7 s left\n',
      'quantize: blocks 9 of 18, 50 %, 212 MB/s, about 5 s left\n',
      'quantize: blocks 14 of 18, 78 %, 212 MB/s, about 2 s left\n',
    ]);
  });

  test('and one comes each ten seconds', () => {
    const display = new ProgressDisplay();
    display.update(blocks(0, 1000), 0);
    const lines = Array.from({ length: 300 }, (_, i) => display.tick(100 * (i + 1))).filter((text) => text !== '');
    expect(lines).toEqual(['10 s', '20 s', '30 s'].map((time) => `quantize: blocks 0 of 1000, 0 %, ${time} so far\n`));
  });

  test('work that ends in under a second writes nothing', () => {
    expect(run(new ProgressDisplay(), 18, 50)).toEqual([]);
  });
});

describe('the estimate', () => {
  const left = (display: ProgressDisplay, now: number): string => /about (.*) left/.exec(display.tick(now))?.[1] ?? 'none';

  test('counts bytes where their total is known: files are not of one size', () => {
    const display = new ProgressDisplay();
    display.update({ work: 'hash', label: 'files', done: 0, total: 4, bytes: { done: 0, total: 16e9 } }, 0);
    expect(display.update({ work: 'hash', label: 'files', done: 3, total: 4, bytes: { done: 4e9, total: 16e9 } }, 10_000)).toBe('hash: files 3 of 4, 25 %, 400 MB/s, about 30 s left\n');
  });

  test('follows a change of speed within some ten seconds', () => {
    const display = new ProgressDisplay();
    for (let done = 0; done <= 100; done++) display.update(blocks(done, 1000), 100 * done);
    // Ten times slower from here: the truth is one block a second.
    for (let done = 101; done <= 130; done++) display.update(blocks(done, 1000), 10_000 + 1000 * (done - 100));
    expect(left(display, 51_000)).toMatch(/^1[0-4] min/);
  });

  test('runs down between reports, to a second', () => {
    const display = new ProgressDisplay();
    display.update(blocks(0, 2), 0);
    display.update(blocks(1, 2), 20_000);
    expect(left(display, 30_000)).toBe('10 s');
    expect(left(display, 60_000)).toBe('1 s');
  });
});
