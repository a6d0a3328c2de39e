/** The digest memo: cheap when nothing changed, never wrong when something did. */
import { appendFileSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type Progress, recordingReporter } from '@tundish/diagnostics';
import { beforeAll, describe, expect, it } from 'vitest';
import { openFileDigests } from '../src/file-digests.js';
import { sha256 } from '../src/sha256.js';
import { codeOf, temporaryRoots } from './temporary-root.js';

const newRoot = temporaryRoots();
const memoText = (root: string): string => readFileSync(join(root, 'file-digests.json'), 'utf8');

/** Plants another digest for every entry, with a right checksum: whoever believes the memo answers with it. */
function plantDigest(root: string, digest: string): void {
  const body = memoText(root).split('\n')[1]?.replace(/[0-9a-f]{64}/g, digest) ?? '';
  writeFileSync(join(root, 'file-digests.json'), `${sha256(body)}\n${body}\n`);
}

describe('with files that have settled', () => {
  const root = newRoot();
  const path = join(root, 'model.safetensors');
  const PLANTED = sha256('planted');

  beforeAll(async () => {
    writeFileSync(path, 'weights');
    await wait(2100);
    const digests = openFileDigests(root);
    expect(await digests.digest(path)).toEqual({ sha256: sha256('weights'), size: 7 });
    await digests.save();
    plantDigest(root, PLANTED);
  });

  it('answers from the memo without reading the file', async () => {
    expect((await openFileDigests(root).digest(path)).sha256).toBe(PLANTED);
  });

  it('reads again when bytes changed though size and mtime were put back', async () => {
    const { atime, mtime } = statSync(path);
    writeFileSync(path, 'WEIGHTS');
    utimesSync(path, atime, mtime);
    expect((await openFileDigests(root).digest(path)).sha256).toBe(sha256('WEIGHTS'));
  });

  it('keeps what another process saved meanwhile', async () => {
    const other = openFileDigests(root);
    const before = memoText(root);
    await other.save();
    expect(memoText(root)).toBe(before);
  });

  it('counts a damaged memo as empty', async () => {
    const text = memoText(root);
    for (const damaged of [text.slice(0, -5), text.replace(PLANTED, sha256('flipped')), '', '{}', `${sha256('nonsense')}\nnonsense\n`]) {
      writeFileSync(join(root, 'file-digests.json'), damaged);
      expect((await openFileDigests(root).digest(path)).sha256).toBe(sha256('WEIGHTS'));
    }
  });
});

describe('many files', () => {
  const recorded = (): { readonly reports: Progress[]; readonly reporter: ReturnType<typeof recordingReporter> } => {
    const reports: Progress[] = [];
    return { reports, reporter: { ...recordingReporter(), progress: (progress) => void reports.push(progress) } };
  };

  it('are digested in their order, with progress over the bytes that are read and none for what is remembered', async () => {
    const root = newRoot();
    const [old, fresh, empty] = ['old', 'fresh', 'empty'].map((name) => join(root, name)) as [string, string, string];
    writeFileSync(old, 'x'.repeat(1000));
    await wait(2100);
    writeFileSync(fresh, Buffer.alloc(2_500_000));
    writeFileSync(empty, '');
    const digests = openFileDigests(root);
    await digests.digest(old);
    const { reports, reporter } = recorded();
    const sizes: number[] = [];
    for await (const { size } of digests.each([fresh, old, empty], reporter)) sizes.push(size);
    expect(sizes).toEqual([2_500_000, 1000, 0]);
    const total = 2_500_000;
    const bytes = [0, 1_048_576, 2_097_152, total, total].map((done) => ({ done, total }));
    expect(reports).toEqual(bytes.map((read, i) => ({ work: 'hash', label: 'files', done: i === 4 ? 1 : 0, total: 1, bytes: read })));
  });

  it('stop at one that is missing', async () => {
    const root = newRoot();
    writeFileSync(join(root, 'there'), 'x');
    const { reporter } = recorded();
    const seen: number[] = [];
    expect(await codeOf(async () => {
      for await (const { size } of openFileDigests(root).each([join(root, 'there'), join(root, 'gone')], reporter)) seen.push(size);
    })).toBe('STORE_IO');
    expect(seen).toEqual([1]);
  });
});

describe('with files that were just written', () => {
  it('does not remember them, since a second write could leave the same times', async () => {
    const root = newRoot();
    const path = join(root, 'fresh');
    writeFileSync(path, 'fresh');
    const digests = openFileDigests(root);
    await digests.digest(path);
    await digests.save();
    expect(await codeOf(() => memoText(root))).toBe('ENOENT');
  });

  it('does not remember a file whose mtime lies in the future', async () => {
    const root = newRoot();
    const path = join(root, 'future');
    writeFileSync(path, 'x');
    utimesSync(path, new Date(), new Date(Date.now() + 86_400_000));
    await wait(2100);
    const digests = openFileDigests(root);
    await digests.digest(path);
    appendFileSync(path, 'y');
    expect((await digests.digest(path)).sha256).toBe(sha256('xy'));
  });

  it('names folders and missing files', async () => {
    const root = newRoot();
    expect(await codeOf(() => openFileDigests(root).digest(root))).toBe('STORE_SOURCE_NOT_A_FILE');
    expect(await codeOf(() => openFileDigests(root).digest(join(root, 'nowhere')))).toBe('STORE_IO');
  });
});
