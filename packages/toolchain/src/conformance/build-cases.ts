/** Conformance of identity, convert and compile: what they write, and that they always write the same. */
import assert from 'node:assert/strict';
import { encodeModel } from '@tundish/graph';
import { type CompileResult, type ConvertResult, graphName } from '../port.js';
import { expectedIo } from './expected-io.js';
import { tinyModel } from './tiny-model.js';
import { TINY, layerMatrices } from './tiny-weights.js';
import { SIZES, type Variant, type Workbench, contentOf, leftIn, totalBytes } from './workbench.js';

export type Case = readonly [name: string, run: (bench: Workbench) => Promise<void>];

const VARIANTS: readonly Variant[] = [{ quantized: false, parts: 1 }, { quantized: true, parts: 1 }, { quantized: true, parts: 2 }];
/** Long enough that two tensors of random codes do not share it. */
const WINDOW = 64;

async function bytesByName(result: ConvertResult | CompileResult, { weights }: Workbench): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const { name, content } of result.files) files.set(name, Buffer.from(await contentOf(content, weights)).toString('base64'));
  return files;
}

export const BUILD_CASES: readonly Case[] = [
  ['says who it is, the same each time', async ({ toolchain }) => {
    const identity = await toolchain.identity();
    assert.equal(identity.name, toolchain.name);
    assert.match(identity.version, /\d/, 'a version names a number');
    assert.deepEqual(await toolchain.identity(), identity);
  }],
  ['accepts the schemes and the block size of the suite or says that it has limits', async ({ toolchain }) => {
    const { blockSizes, weightSchemes } = toolchain.limits();
    for (const scheme of ['lpbq', 'per_channel'] as const) assert.ok(weightSchemes === undefined || weightSchemes.includes(scheme));
    assert.ok(blockSizes === undefined || blockSizes.includes(TINY.blockSize));
  }],
  ['convert leaves the model of the caller as it was', async (bench) => {
    const model = tinyModel({ ar: 4, cl: 16, part: 1, parts: 1, quantized: true }, bench.weights);
    const before = encodeModel(model);
    await bench.toolchain.convert(await bench.context(), { cell: { ar: 4, cl: 16, part: 1, parts: 1 }, model, encodings: bench.encodings, options: {} });
    assert.deepEqual(encodeModel(model), before);
  }],
  ['convert writes no weight bytes', async (bench) => {
    const { files } = await bench.convert({ ar: 4, cl: 16, part: 1, parts: 1 }, { quantized: true, parts: 1 });
    const written = Buffer.concat(await Promise.all(files.map(({ content }) => contentOf(content, bench.weights))));
    const weights = bench.weights.bytes;
    const names = [...layerMatrices(0).map(([name]) => name), 'lm_head.weight', 'model.embed_tokens.weight'];
    for (const { offset, length } of names.map((name) => bench.weights.range(name))) {
      for (let at = offset; at + WINDOW <= offset + length; at += WINDOW) assert.equal(written.indexOf(weights.subarray(at, at + WINDOW)), -1);
    }
  }],
  ['convert gives the same bytes each time', async (bench) => {
    const cell = { ar: 4, cl: 32, part: 1, parts: 1 };
    const [first, second] = [await bench.convert(cell, { quantized: true, parts: 1 }), await bench.convert(cell, { quantized: true, parts: 1 })];
    assert.deepEqual(await bytesByName(second, bench), await bytesByName(first, bench));
  }],
  ['gives each graph the inputs and outputs of the contract', async (bench) => {
    for (const variant of VARIANTS) {
      for (let part = 1; part <= variant.parts; part++) {
        const { result } = await bench.part(variant, part);
        assert.deepEqual(result.graphs.map(({ name }) => name), SIZES.map((size) => graphName({ ...size, part, parts: variant.parts })));
        for (const { cell, inputs, outputs } of result.graphs) assert.deepEqual({ inputs, outputs }, expectedIo(cell, variant, bench.encodings));
      }
    }
  }],
  ['compile gives the same bytes each time, in whatever folder', async (bench) => {
    const variant: Variant = { quantized: true, parts: 2 };
    const again = await bench.compile(await bench.context(), variant, 2);
    assert.deepEqual(await bytesByName(again, bench), await bytesByName((await bench.part(variant, 2)).result, bench));
  }],
  ['compile keeps weights that its graphs share once', async (bench) => {
    const variant: Variant = { quantized: true, parts: 1 };
    const all = await totalBytes((await bench.part(variant, 1)).result.files, bench.weights);
    let apart = 0;
    for (const size of SIZES) apart += await totalBytes((await bench.compile(await bench.context(), variant, 1, [size])).files, bench.weights);
    const weights = [...layerMatrices(0), ...layerMatrices(1)].reduce((sum, [name]) => sum + bench.weights.range(name).length, 0);
    assert.ok(apart - all >= (SIZES.length - 1) * weights, `${SIZES.length} graphs take ${all} bytes together and ${apart} apart`);
  }],
  ['compile leaves nothing in scratch but its result', async (bench) => {
    const context = await bench.context();
    const { files } = await bench.compile(context, { quantized: true, parts: 1 }, 1, SIZES.slice(0, 2));
    const mine = files.flatMap(({ content }) => ('path' in content ? [content.path] : []));
    assert.equal((await leftIn(context.scratch)).length, mine.length);
  }],
];
