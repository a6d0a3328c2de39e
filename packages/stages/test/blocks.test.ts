/** Which blocks of quantize are made again after which change: each has a key of its own, chained by the activations between them. */
import { cpSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensorsHeader } from '@tundish/checkpoint';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PieceCount } from '../src/index.js';
import { QUANTIZED_RECIPE, WEIGHTS_ONLY_RECIPE, Workspace, temporaryFolder } from './workspace.js';

/** The embedding, two decoder blocks, the head. */
const BLOCKS = 4;

function copyOf(built: Workspace): Workspace {
  const root = temporaryFolder();
  cpSync(built.root, root, { recursive: true });
  return new Workspace(root, built.cacheRoot.replace(built.root, root));
}

async function quantized(workspace: Workspace): Promise<PieceCount | undefined> {
  return (await workspace.build('quantize')).get('quantize')?.pieces;
}

const manifestOf = (workspace: Workspace): string => readFileSync(workspace.path('out/quantize/stage.json'), 'utf8');

/** Flips bits of one byte of a weight, counted from the start of the tensor. */
async function flip(workspace: Workspace, tensor: string, at: number, bits: number): Promise<void> {
  const path = workspace.path('checkpoint/model.safetensors');
  const entry = (await readSafetensorsHeader(path)).tensors.get(tensor);
  if (entry === undefined) throw new Error(`the fixture has no ${tensor}`);
  const bytes = readFileSync(path);
  bytes[entry.offset + at] = (bytes[entry.offset + at] as number) ^ bits;
  writeFileSync(path, bytes);
}

describe('with a calibration', () => {
  let built: Workspace;
  beforeAll(async () => {
    built = Workspace.make(QUANTIZED_RECIPE);
    expect(await quantized(built)).toEqual({ cached: 0, total: BLOCKS });
  });

  test('a weight of the last block: that block and the head', async () => {
    const workspace = copyOf(built);
    await flip(workspace, 'model.layers.1.mlp.down_proj.weight', 5, 0x80);
    expect(await quantized(workspace)).toEqual({ cached: 2, total: BLOCKS });
  });

  test('a weight that rounds to the same code: its block alone, since the activations that leave it are equal', async () => {
    const workspace = copyOf(built);
    await flip(workspace, 'model.layers.0.mlp.down_proj.weight', 0, 0x01);
    expect(await quantized(workspace)).toEqual({ cached: 3, total: BLOCKS });
    expect(manifestOf(workspace)).toBe(manifestOf(built));
  });

  test('a scheme of its own for a layer of the last block: that block and the head', async () => {
    const workspace = copyOf(built);
    workspace.write('recipe.yaml', QUANTIZED_RECIPE.replace('weights:', 'overrides: [{ layers: model.layers.1.mlp.up_proj, bits: 8 }], weights:'));
    expect(await quantized(workspace)).toEqual({ cached: 2, total: BLOCKS });
  });

  test('text that no window reads: nothing, and the same bytes', async () => {
    const workspace = copyOf(built);
    workspace.write('calibration.txt', `${readFileSync(workspace.path('calibration.txt'), 'utf8')}a`);
    expect(await quantized(workspace)).toEqual({ cached: BLOCKS, total: BLOCKS });
    expect(manifestOf(workspace)).toBe(manifestOf(built));
  });

  test('another number of windows: everything', async () => {
    const workspace = copyOf(built);
    workspace.write('recipe.yaml', QUANTIZED_RECIPE.replace('windows: 2', 'windows: 1'));
    expect(await quantized(workspace)).toEqual({ cached: 0, total: BLOCKS });
  });

  test('the place of the weights: nothing', async () => {
    const workspace = copyOf(built);
    const path = workspace.path('checkpoint/model.safetensors');
    const bytes = readFileSync(path);
    const length = Number(bytes.readBigUInt64LE(0));
    // A longer header moves every tensor.
    const header = Buffer.from(`${bytes.toString('utf8', 8, 8 + length)}${' '.repeat(64)}`);
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(header.length));
    writeFileSync(path, Buffer.concat([size, header, bytes.subarray(8 + length)]));
    expect(await quantized(workspace)).toEqual({ cached: BLOCKS, total: BLOCKS });
  });

  test('a flipped byte in the activations or codes that a block left is noticed, and the block is made again', async () => {
    const workspace = copyOf(built);
    const entries = join(workspace.cacheRoot, 'tiny');
    const embedding = readdirSync(entries).map((name) => join(entries, name)).find((entry) => entry.includes('quantize-block') && readdirSync(entry).includes('embedding.activations')) as string;
    for (const file of ['embedding.activations', 'embedding.weights']) {
      const { outputs } = JSON.parse(readFileSync(join(embedding, 'stage.json'), 'utf8')) as { outputs: { name: string; sha256: string }[] };
      const digest = outputs.find(({ name }) => name === file)?.sha256 as string;
      const blob = join(workspace.cacheRoot, 'blobs', 'sha256', digest.slice(0, 2), digest);
      const bytes = readFileSync(blob);
      bytes[5] = (bytes[5] as number) ^ 1;
      writeFileSync(blob, bytes, { mode: 0o644 });
      // The stage itself must have something to do.
      workspace.write('calibration.txt', `${readFileSync(workspace.path('calibration.txt'), 'utf8')}a`);
      expect(await quantized(workspace), file).toEqual({ cached: BLOCKS - 1, total: BLOCKS });
      expect(manifestOf(workspace)).toBe(manifestOf(built));
    }
  });
});

describe('of weights alone, blocks are independent', () => {
  let built: Workspace;
  beforeAll(async () => {
    built = Workspace.make(WEIGHTS_ONLY_RECIPE);
    expect(await quantized(built)).toEqual({ cached: 0, total: BLOCKS });
  });

  test.each(['model.layers.0.mlp.down_proj.weight', 'model.layers.1.input_layernorm.weight', 'model.embed_tokens.weight'])('a bit of %s: its own block', async (tensor) => {
    const workspace = copyOf(built);
    await flip(workspace, tensor, 1, 0x01);
    expect(await quantized(workspace)).toEqual({ cached: 3, total: BLOCKS });
  });

  test('the width of the embedding: the embedding', async () => {
    const workspace = copyOf(built);
    workspace.write('recipe.yaml', WEIGHTS_ONLY_RECIPE.replace('quantize: {', 'quantize: { embedding: { bits: 8 },'));
    expect(await quantized(workspace)).toEqual({ cached: 3, total: BLOCKS });
  });
});
