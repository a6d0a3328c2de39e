/** Containers written to disk and read back, whole and damaged. */
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { containerGraphName } from '../src/manifest.js';
import type { ManifestFacts } from '../src/manifest.js';
import { partFiles, readContainer, verifyContainer } from '../src/read.js';
import { manifestText, writeContainerManifest } from '../src/write.js';
import { FACTS, graph, sampleFolder } from './sample.js';

let folder = '';
beforeEach(() => {
  folder = sampleFolder();
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('a container on disk', () => {
  it('comes back as it was written, and its manifest is the same bytes again', async () => {
    const written = await writeContainerManifest(folder, FACTS);
    const container = await readContainer(folder);
    expect(container.manifest).toEqual(written);
    expect(container.manifest).toMatchObject(FACTS);
    expect(Object.entries(container.manifest.files).map(([path, { size }]) => [path, size])).toEqual([['part1/weights.data', 17], ['part2/weights.data', 17], ['tokenizer.json', 2]]);
    expect([...partFiles(container, 2)]).toEqual([['weights.data', join(folder, 'part2/weights.data')]]);
    const text = readFileSync(join(folder, 'manifest.json'), 'utf8');
    expect(text).toBe(manifestText(written));
    await writeContainerManifest(folder, Object.fromEntries(Object.entries(FACTS).reverse()) as unknown as ManifestFacts);
    expect(readFileSync(join(folder, 'manifest.json'), 'utf8')).toBe(text);
    await verifyContainer(container);
  });

  it('does not read files whose digest is known', async () => {
    const known = { sha256: 'e'.repeat(64), size: 2 };
    const manifest = await writeContainerManifest(folder, FACTS, new Map([['tokenizer.json', known]]));
    expect(manifest.files['tokenizer.json']).toEqual(known);
  });

  it('says which file is missing, cut, or changed', async () => {
    await writeContainerManifest(folder, FACTS);
    writeFileSync(join(folder, 'tokenizer.json'), '[]');
    await expect(verifyContainer(await readContainer(folder))).rejects.toThrow(/CONTAINER_FILE_DIGEST: tokenizer.json was changed/);
    appendFileSync(join(folder, 'part1/weights.data'), '!');
    await expect(readContainer(folder)).rejects.toThrow(/CONTAINER_FILE_SIZE: part1\/weights.data has 18 bytes where the manifest says 17/);
    rmSync(join(folder, 'part1/weights.data'));
    await expect(readContainer(folder)).rejects.toThrow(/CONTAINER_FILE_MISSING: the container lacks part1\/weights.data/);
  });

  it('says what is wrong with the manifest itself', async () => {
    await expect(readContainer(folder)).rejects.toThrow(/CONTAINER_NOT_FOUND/);
    const path = join(folder, 'manifest.json');
    writeFileSync(path, '{"schema": 1,');
    await expect(readContainer(folder)).rejects.toThrow(/CONTAINER_MANIFEST_INVALID: manifest.json is not JSON/);
    writeFileSync(path, '{"schema": 2}');
    await expect(readContainer(folder)).rejects.toThrow(/CONTAINER_SCHEMA_UNKNOWN: manifest.json has schema 2; this release reads schema 1/);
    writeFileSync(path, '[]');
    await expect(readContainer(folder)).rejects.toThrow(/CONTAINER_MANIFEST_INVALID: manifest.json breaks 1 rule/);
  });
});

describe('rules of the manifest', () => {
  const [part1, part2] = FACTS.parts as [ManifestFacts['parts'][number], ManifestFacts['parts'][number]];
  const cases: [string, Partial<ManifestFacts>, RegExp][] = [
    ['a path that leads out', { parts: [{ ...part1, files: [{ name: 'w', path: '../w' }] }, part2] }, /parts\.0\.files\.0\.path: must be a relative path inside/],
    ['a file that is not there', { parts: [part1, { ...part2, files: [{ name: 'w', path: 'part3/w' }] }] }, /parts\.1\.files: "part3\/w" is not in the file table/],
    ['a missing graph', { parts: [part1, { ...part2, graphs: part2.graphs.slice(1) }] }, /parts\.1: graph ar1_cl8_2_of_2 is missing/],
    ['a graph twice', { parts: [part1, { ...part2, graphs: [...part2.graphs, graph(1, 8, 2)] }] }, /graph "ar1_cl8_2_of_2" is a duplicate or outside the plan/],
    ['a graph under another name', { parts: [{ ...part1, graphs: part1.graphs.map((g) => ({ ...g, name: 'x' })) }, part2] }, /graph "x" is not named after its cell/],
    ['parts out of order', { parts: [part2, part1] }, /parts\.0: is part 2 where part 1 belongs/],
    ['unsorted ARs', { ars: [4, 1] }, /ars: must be ascending/],
    ['an AR as large as a CL', { ars: [1, 8] }, /ars: AR 8 is not below context length 8/],
    ['a mask that hides nothing', { maskValue: 0 }, /maskValue/],
    ['an eos outside the vocabulary', { tokens: { bos: 1, eos: [9], pad: null } }, /tokens: id 9 is outside the vocabulary of 9/],
    ['a digest that is none', { provenance: { load: 'x' } }, /provenance\.load: must be 64/],
  ];
  it.each(cases)('refuse %s', async (_, change, message) => {
    await expect(writeContainerManifest(folder, { ...FACTS, ...change })).rejects.toThrow(message);
  });

  it('refuse unknown fields', async () => {
    await expect(writeContainerManifest(folder, { ...FACTS, extra: 1 } as ManifestFacts)).rejects.toThrow(/extra/);
  });

  it('an input is rounded half to even, or down', async () => {
    const rounded = (rounding: string): ManifestFacts => JSON.parse(JSON.stringify(FACTS).replaceAll('"scale":0.5,', `"rounding":"${rounding}","scale":0.5,`)) as ManifestFacts;
    expect(await writeContainerManifest(folder, rounded('down'))).toMatchObject(rounded('down'));
    await expect(writeContainerManifest(folder, rounded('up'))).rejects.toThrow(/quantization\.rounding/);
  });

  it('a tensor may hold half floats, and no type that is not listed', async () => {
    const typed = (dtype: string): ManifestFacts => JSON.parse(JSON.stringify(FACTS).replaceAll(/"dtype":"uint16","shape":(\[[^\]]*\]),"quantization":\{[^}]*\}/g, `"dtype":"${dtype}","shape":$1`)) as ManifestFacts;
    expect(JSON.stringify(typed('float16'))).toContain('"dtype":"float16"');
    expect(await writeContainerManifest(folder, typed('float16'))).toMatchObject(typed('float16'));
    await expect(writeContainerManifest(folder, typed('bfloat16'))).rejects.toThrow(/dtype/);
  });

  it('a graph is named by AR, CL and part', () => {
    expect(containerGraphName({ ar: 128, cl: 4096, part: 1, parts: 3 })).toBe('ar128_cl4096_1_of_3');
  });
});
