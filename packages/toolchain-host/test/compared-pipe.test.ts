import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compareChunks, comparedPipe } from '../src/compared-pipe.js';

const folder = mkdtempSync(join(tmpdir(), 'compared-pipe-'));
afterAll(() => rmSync(folder, { recursive: true }));

const expected = join(folder, 'expected');
const content = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 31) % 251));
writeFileSync(expected, content);

async function send(name: string, bytes: Buffer | undefined): Promise<boolean> {
  const path = join(folder, name);
  const pipe = await comparedPipe(path, expected);
  if (pipe === undefined) throw new Error('this system has no named pipes');
  if (bytes !== undefined) {
    const writer = await open(path, 'w');
    await writer.writeFile(bytes);
    await writer.close();
  }
  return pipe.finish();
}

describe('a compared pipe', () => {
  it('accepts exactly the expected bytes', async () => expect(await send('same', content)).toBe(true));

  it('rejects one changed byte, and bytes that end early or go on', async () => {
    const changed = Buffer.from(content);
    changed[2_500_000] = (changed[2_500_000] as number) ^ 1;
    expect(await send('changed', changed)).toBe(false);
    expect(await send('short', content.subarray(0, 2_999_999))).toBe(false);
    expect(await send('long', Buffer.concat([content, Buffer.of(1)]))).toBe(false);
  });

  it('takes chunks of any size, as a stream gives them to a reader that is behind', async () => {
    const compare = async (...sizes: number[]): Promise<number> => {
      let end = 0;
      const chunks = sizes.map((size) => content.subarray(end, (end += size)));
      const reference = await open(expected);
      return compareChunks((async function* () { yield* chunks; })(), reference).finally(() => reference.close());
    };
    expect(await compare(3_000_000)).toBe(3_000_000);
    expect(await compare(1_081_344, 7, 1_918_649)).toBe(3_000_000);
    expect(await compare(65_536, 1)).toBe(65_537);
  });

  it('ends when nobody wrote', async () => expect(await send('none', undefined)).toBe(false));
});
