/** Action keys and the cache: every input counts, and only whole entries are results. */
import { appendFileSync, chmodSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openActionCache } from '../src/action-cache.js';
import type { ActionCache, ActionInfo } from '../src/action-cache.js';
import { actionKey } from '../src/action-key.js';
import type { ActionInputs } from '../src/action-key.js';
import type { StageManifest } from '../src/manifest.js';
import { sha256 } from '../src/sha256.js';
import { type Sidecar, decodeSidecar } from '../src/sidecar.js';
import { openStore } from '../src/store.js';
import type { Store } from '../src/store.js';
import { codeOf, listing, temporaryRoots } from './temporary-root.js';

const newRoot = temporaryRoots();
const INPUTS: ActionInputs = { stage: 'quantize', code: sha256('code'), options: { bits: 4, list: [1, 2] }, upstream: { 'stage.load': sha256('load') }, tool: { name: 'host', version: '1' }, profile: 'avx512' };
const { key: KEY, fields: FIELDS } = actionKey(INPUTS);
const INFO: ActionInfo = { source: 'models/llama32/out/load/stage.json', config: FIELDS, createdAt: '2026-01-02T03:04:05.000Z', inputs: INPUTS.upstream, wallSeconds: 1.5, cpuSeconds: 2.5, memory: { declared: 1500, measured: 1000, of: 'unit', limit: null } };

async function fill(): Promise<{ store: Store; cache: ActionCache; manifest: StageManifest; entry: string }> {
  const store = openStore(newRoot());
  const graph = await store.putBytes(Buffer.from('graph'));
  const manifest: StageManifest = { schema: 1, stage: 'quantize', subject: null, outputs: [{ name: 'sub/graph.onnx', ...graph, mediaType: 'application/onnx' }], externals: [], facts: { blocks: 4 } };
  const cache = openActionCache(store, 'llama32');
  return { store, cache, manifest, entry: cache.entryPath('quantize', KEY) };
}

describe('actionKey', () => {
  const changed: [string, ActionInputs][] = [
    ['stage', { ...INPUTS, stage: 'load' }],
    ['code', { ...INPUTS, code: sha256('other code') }],
    ['option', { ...INPUTS, options: { bits: 8, list: [1, 2] } }],
    ['order of a list', { ...INPUTS, options: { bits: 4, list: [2, 1] } }],
    ['new option', { ...INPUTS, options: { bits: 4, list: [1, 2], more: null } }],
    ['upstream digest', { ...INPUTS, upstream: { 'stage.load': sha256('x') } }],
    ['upstream name', { ...INPUTS, upstream: { 'stage.optimize': sha256('load') } }],
    ['tool version', { ...INPUTS, tool: { name: 'host', version: '2' } }],
    ['tool operators', { ...INPUTS, tool: { name: 'host', version: '1', operators: 'own-1' } }],
    ['tool machine', { ...INPUTS, tool: { name: 'host', version: '1', machine: 'avx2' } }],
    ['profile', { ...INPUTS, profile: 'portable' }],
  ];
  it.each(changed)('differs for another %s', (_, inputs) => expect(actionKey(inputs).key).not.toBe(KEY));

  it('does not depend on the order of keys', () => {
    expect(actionKey({ ...INPUTS, options: { list: [1, 2], bits: 4 } }).key).toBe(KEY);
  });

  it('explains itself by what it hashed', () => {
    expect(FIELDS).toEqual({ code: JSON.stringify(sha256('code')), 'options.bits': '4', 'options.list[0]': '1', 'options.list[1]': '2', profile: '"avx512"', stage: '"quantize"', 'tool.name': '"host"', 'tool.version': '"1"', 'upstream["stage.load"]': JSON.stringify(sha256('load')) });
  });
});

describe('publish', () => {
  it('lays out an entry for a person, with hard links', async () => {
    const { store, cache, manifest, entry } = await fill();
    await cache.publish('quantize', KEY, { manifest, info: INFO });
    expect(entry).toBe(join(store.root, 'llama32', `quantize_${KEY.slice(0, 32)}`));
    expect(listing(entry)).toEqual(['builder_cache_info.json', 'stage.json', 'sub', 'sub/graph.onnx']);
    const [output] = manifest.outputs;
    expect(output && statSync(join(entry, output.name)).ino).toBe(output && statSync(store.pathOf(output)).ino);
    expect(JSON.parse(readFileSync(join(entry, 'builder_cache_info.json'), 'utf8'))).toMatchObject({
      operation: 'quantize', source: INFO.source, config: FIELDS, hash: KEY, created_at: INFO.createdAt, tool: null, inputs: INFO.inputs, outputs: { 'sub/graph.onnx': output?.sha256 }, wall_seconds: 1.5, cpu_seconds: 2.5, memory: INFO.memory,
    });
    expect(await cache.lookup('quantize', KEY)).toEqual(manifest);
    expect(listing(join(store.root, 'tmp'))).toEqual([]);
  });

  it('reads the figures of entries of older versions', async () => {
    const { cache, manifest, entry } = await fill();
    await cache.publish('quantize', KEY, { manifest, info: INFO });
    const { memory, ...rest } = JSON.parse(readFileSync(join(entry, 'builder_cache_info.json'), 'utf8')) as Sidecar;
    const older = decodeSidecar(JSON.stringify({ ...rest, peak_rss_bytes: memory.measured, expected_rss_bytes: memory.declared, max_memory_bytes: 3000 }), entry);
    expect(older).toEqual({ ...rest, memory: { ...memory, of: 'process', limit: 3000 } });
  });

  it('keeps a whole entry and returns its manifest', async () => {
    const { cache, manifest } = await fill();
    await cache.publish('quantize', KEY, { manifest, info: INFO });
    const second = await cache.publish('quantize', KEY, { manifest: { ...manifest, facts: { blocks: 5 } }, info: INFO });
    expect(second.facts).toEqual({ blocks: 4 });
  });

  it('refuses a result whose blobs are not stored, and leaves nothing', async () => {
    const { store, cache, manifest } = await fill();
    const lost: StageManifest = { ...manifest, outputs: [{ name: 'lost', sha256: sha256('lost'), size: 4, mediaType: 'x/y' }] };
    expect(await codeOf(() => cache.publish('quantize', KEY, { manifest: lost, info: INFO }))).toBe('STORE_BLOB_MISSING');
    expect(listing(store.root).filter((path) => !path.startsWith('blobs'))).toEqual(['tmp']);
  });

  it.each(['../up', 'a/b', '', '.hidden', 'blobs', 'tmp'])('refuses the model name %j', (model) => {
    expect(() => openActionCache(openStore(newRoot()), model)).toThrow('STORE_ACTION_NAME');
  });
});

describe('lookup', () => {
  const damages: [string, (entry: string, blob: string) => void][] = [
    ['the manifest is cut', (entry) => truncateSync(join(entry, 'stage.json'), 20)],
    ['a fact of the manifest was changed', (entry) => writeFileSync(join(entry, 'stage.json'), readFileSync(join(entry, 'stage.json'), 'utf8').replace('"blocks": 4', '"blocks": 5'))],
    ['the sidecar is missing', (entry) => rmSync(join(entry, 'builder_cache_info.json'))],
    ['the sidecar is of another key', (entry) => writeFileSync(join(entry, 'builder_cache_info.json'), readFileSync(join(entry, 'builder_cache_info.json'), 'utf8').replace(KEY, KEY.slice(0, 32) + sha256('x').slice(32)))],
    ['a file lies in its place', (entry) => { rmSync(entry, { recursive: true }); writeFileSync(entry, ''); }],
    ['it is an empty folder', (entry) => { rmSync(entry, { recursive: true }); mkdirSync(entry); }],
    ['an artifact of the entry is missing', (entry) => rmSync(join(entry, 'sub/graph.onnx'))],
    ['a blob is missing', (_, blob) => rmSync(blob)],
    ['a blob has another size', (_, blob) => { chmodSync(blob, 0o644); appendFileSync(blob, 'x'); }],
  ];

  it.each(damages)('misses when %s, and publish repairs it', async (_, damage) => {
    const { store, cache, manifest, entry } = await fill();
    await cache.publish('quantize', KEY, { manifest, info: INFO });
    damage(entry, store.pathOf(manifest.outputs[0] as StageManifest['outputs'][0]));
    expect(await cache.lookup('quantize', KEY)).toBeUndefined();
    await store.putBytes(Buffer.from('graph'));
    await cache.publish('quantize', KEY, { manifest, info: INFO });
    expect(await cache.lookup('quantize', KEY)).toEqual(manifest);
    expect(readFileSync(join(entry, 'sub/graph.onnx'), 'utf8')).toBe('graph');
    expect(listing(join(store.root, 'tmp'))).toEqual([]);
  });

  it('misses an entry of another schema', async () => {
    const { cache, manifest, entry } = await fill();
    await cache.publish('quantize', KEY, { manifest, info: INFO });
    const foreign = readFileSync(join(entry, 'stage.json'), 'utf8').replace('"schema": 1', '"schema": 9');
    const sidecar = readFileSync(join(entry, 'builder_cache_info.json'), 'utf8').replace(/"manifest": "\w+"/, `"manifest": "${sha256(foreign)}"`);
    writeFileSync(join(entry, 'stage.json'), foreign);
    writeFileSync(join(entry, 'builder_cache_info.json'), sidecar);
    expect(await cache.lookup('quantize', KEY)).toBeUndefined();
  });

  it('misses other keys and operations', async () => {
    const { cache, manifest } = await fill();
    await cache.publish('quantize', KEY, { manifest, info: INFO });
    expect(await cache.lookup('load', KEY)).toBeUndefined();
    expect(await cache.lookup('quantize', sha256('other'))).toBeUndefined();
    expect(await codeOf(() => cache.lookup('quantize', KEY.slice(0, 32)))).toBe('STORE_SHA256');
  });
});
