import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeFolder } from '../src/make-folder.js';
import { temporaryRoots } from './temporary-root.js';

const temporaryRoot = temporaryRoots();

describe('makeFolder', () => {
  it('makes parents, and is content with a folder that is there', async () => {
    const folder = join(temporaryRoot(), 'a', 'b', 'c');
    await makeFolder(folder);
    await makeFolder(folder);
    expect(statSync(folder).isDirectory()).toBe(true);
  });

  it('names a file in the way', async () => {
    const file = join(temporaryRoot(), 'file');
    writeFileSync(file, '');
    await expect(makeFolder(file)).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeFolder(join(file, 'a'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it.runIf(existsSync('/proc'))('ends where a parent takes no folders', async () => {
    await expect(makeFolder('/proc/none/of/these')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
