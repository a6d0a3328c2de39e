/** stage.json: equal results give equal bytes, and what is written can be read back. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeManifest, encodeManifest, manifestDigest, readManifest } from '../src/manifest.js';
import type { StageManifest } from '../src/manifest.js';
import { sha256 } from '../src/sha256.js';
import { codeOf, temporaryRoots } from './temporary-root.js';

const newRoot = temporaryRoots();
const output = (name: string) => ({ name, sha256: sha256(name), size: name.length, mediaType: 'application/octet-stream' });
const MANIFEST: StageManifest = {
  schema: 1,
  stage: 'quantize',
  subject: null,
  outputs: [output('graph.onnx'), output('blocks/block-0.weights')],
  externals: [{ location: 'model.safetensors', sha256: sha256('m'), size: 7 }],
  facts: { blocks: 4, sqnr: [31.5], note: null },
};

describe('a manifest', () => {
  it('reads back what was written, sorted by name', () => {
    const path = join(newRoot(), 'stage.json');
    writeFileSync(path, encodeManifest(MANIFEST));
    expect(readManifest(path)).toEqual({ ...MANIFEST, outputs: [...MANIFEST.outputs].reverse() });
  });

  it('has one digest whatever the order of its lists', () => {
    expect(manifestDigest({ ...MANIFEST, outputs: [...MANIFEST.outputs].reverse() })).toBe(manifestDigest(MANIFEST));
    expect(manifestDigest({ ...MANIFEST, facts: { ...MANIFEST.facts, blocks: 5 } })).not.toBe(manifestDigest(MANIFEST));
  });

  it('ends with a newline and is indented by two spaces', () => {
    const text = new TextDecoder().decode(encodeManifest(MANIFEST));
    expect(text).toMatch(/^{\n {2}"digest": "/);
    expect(text.endsWith('\n}\n')).toBe(true);
  });

  it.each(['../up', '/absolute', 'a//b', 'a\\b', 'line\nbreak', '', 'stage.json', './a'])('refuses the output name %j', (name) => {
    expect(() => encodeManifest({ ...MANIFEST, outputs: [output(name)] })).toThrow('STORE_MANIFEST_INVALID');
  });

  it('refuses a repeated output name', () => {
    expect(() => encodeManifest({ ...MANIFEST, outputs: [output('a'), output('a')] })).toThrow('repeats the name a');
  });

  it.each([
    ['not JSON', '{"schema":', 'STORE_MANIFEST_READ'],
    ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'STORE_MANIFEST_READ'],
    ['another schema', '{"schema":2,"anything":true}', 'STORE_MANIFEST_SCHEMA'],
    ['an unknown field', new TextDecoder().decode(encodeManifest(MANIFEST)).replace('"facts"', '"fact"'), 'STORE_MANIFEST_INVALID'],
    ['a short digest', new TextDecoder().decode(encodeManifest(MANIFEST)).replace(sha256('m'), 'abc'), 'STORE_MANIFEST_INVALID'],
  ])('says that a file is %s', async (_, content, code) => {
    const path = join(newRoot(), 'stage.json');
    writeFileSync(path, content);
    expect(await codeOf(() => readManifest(path))).toBe(code);
  });

  it('with any bit flipped is refused, or is the same manifest', () => {
    const path = join(newRoot(), 'stage.json');
    const bytes = encodeManifest(MANIFEST);
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Uint8Array.from(bytes);
      flipped[at] = (flipped[at] as number) ^ (1 << (at % 8));
      let read: StageManifest | undefined;
      try {
        read = decodeManifest(flipped, path);
      } catch {
        continue;
      }
      expect(manifestDigest(read)).toBe(manifestDigest(MANIFEST));
    }
  });

  it('that was written without a digest is read, and one with another digest is not', () => {
    const text = new TextDecoder().decode(encodeManifest(MANIFEST));
    const { digest, ...rest } = JSON.parse(text) as StageManifest & { readonly digest: string };
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(manifestDigest(decodeManifest(Buffer.from(JSON.stringify(rest)), 'stage.json'))).toBe(manifestDigest(MANIFEST));
    expect(() => decodeManifest(Buffer.from(text.replace('"blocks": 4', '"blocks": 5')), 'stage.json')).toThrow('STORE_MANIFEST_CHANGED');
  });

  it('says that a file is missing and what to run', () => {
    expect(() => readManifest(join(newRoot(), 'stage.json'))).toThrow('run the stage that writes it');
  });
});
