/** The schema of genie_config.json: what the writer makes passes, and what the runtime refuses does not. */
import { GENIE_ENGINE, genieConfig } from '@tundish/container';
import type { GenieFacts } from '@tundish/container';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { configIssues } from '../src/genie/config-schema.js';

const FACTS: GenieFacts = {
  contextLength: 4096, vocabularySize: 128256, headDim: 64, tokens: { bos: 1, eos: [2], pad: null },
  rope: { theta: 500000, rotaryDim: 64, scaling: { type: 'default' } },
  generation: { maxTokens: 256, temperature: 0, topK: 0, topP: 1, repetitionPenalty: 1 }, seed: 42, contextBinaries: ['model.bin'], tokenizer: 'tokenizer.json',
};

/** A configuration that the writer makes, with a value put in (or taken out, when it is undefined) at a path of keys. */
function changed(path: string, value: unknown): unknown {
  const config = structuredClone(genieConfig(FACTS)) as Record<string, unknown>;
  const keys = path.split('.');
  const last = keys.pop() as string;
  const holder = keys.reduce((inner, key) => (inner[key] ??= {}) as Record<string, unknown>, config);
  holder[last] = value;
  return JSON.parse(JSON.stringify(config));
}

const HTP = 'dialog.engine.backend.QnnHtp';
const ROPE = 'dialog.engine.model.positional-encoding';
const LORA = 'dialog.engine.model.binary.lora';
const adapter = (more: object): object => ({ version: 1, name: 'a1', ...more });

describe('the writer', () => {
  const scalings: fc.Arbitrary<GenieFacts['rope']['scaling']> = fc.oneof(
    fc.constant({ type: 'default' } as const),
    fc.record({ type: fc.constant('linear' as const), factor: fc.double({ min: 1, max: 64, noNaN: true }) }),
    fc.record({ type: fc.constant('llama3' as const), factor: fc.double({ min: 1, max: 64, noNaN: true }), lowFrequencyFactor: fc.constant(1), highFrequencyFactor: fc.constant(4), originalContextLength: fc.integer({ min: 1, max: 8192 }) }),
    fc.record({ type: fc.constant('longrope' as const), factor: fc.constant(32), shortFactor: fc.constant([1, 2]), longFactor: fc.constant([3, 4.5]), originalContextLength: fc.constant(4096) }),
  );
  const facts: fc.Arbitrary<GenieFacts> = fc.record({
    contextLength: fc.integer({ min: 2, max: 1 << 20 }), vocabularySize: fc.integer({ min: 1, max: 300000 }), headDim: fc.integer({ min: 1, max: 256 }),
    tokens: fc.record({ bos: fc.nat(), eos: fc.array(fc.nat(), { maxLength: 4 }), pad: fc.option(fc.nat()) }),
    rope: fc.record({ theta: fc.double({ min: 1, max: 1e7, noNaN: true }), rotaryDim: fc.constant(4), scaling: scalings }),
    generation: fc.record({ maxTokens: fc.integer({ min: 1, max: 1 << 20 }), temperature: fc.constantFrom(0, 0.6, 1), topK: fc.nat(100), topP: fc.constantFrom(0.9, 1), repetitionPenalty: fc.constantFrom(1, 1.1) }),
    seed: fc.nat(), contextBinaries: fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 5 }), tokenizer: fc.constant('tokenizer.json'), extensions: fc.constant('ext.json'),
    stopSequences: fc.array(fc.string({ minLength: 1 }), { maxLength: 3 }), engine: fc.constantFrom(GENIE_ENGINE, { ...GENIE_ENGINE, threads: 0, useMmap: false, mmapBudgetMb: 25 }),
  });

  it('makes what the schema takes, also after a round through JSON', () => {
    fc.assert(fc.property(facts, (given) => configIssues(JSON.parse(JSON.stringify(genieConfig(given)))).length === 0), { numRuns: 300 });
  });
});

describe('configIssues', () => {
  it.each([
    ['dialog.context.size', undefined], ['dialog.context.n-vocab', undefined], ['dialog.context.bos-token', undefined], ['dialog.context.eos-token', '2'], ['dialog.context.version', 2],
    ['dialog.context.colour', 1], ['dialog.type', 'mtp'], ['dialog.type', 'eagle3'], ['dialog.tokenizer', undefined], ['dialog.stop-sequence', 'x'], ['engine', {}],
    [`${HTP}.spill-fill-bufsize`, undefined], [`${HTP}.use-mmap`, undefined], [`${HTP}.mmap-budget`, undefined], [`${HTP}.poll`, undefined], [`${HTP}.cpu-mask`, undefined], [`${HTP}.cpu-mask`, 224], [`${HTP}.use-mmap`, 'true'],
    [`${HTP}.graph-switching-lora-policy`, 'never'],
    [`${ROPE}.type`, 'yarn'], [`${ROPE}.rope-scaling`, { 'rope-type': 'llama3', factor: 8 }],
    ['dialog.sampler.token-penalty', { version: 1, 'penalize-last-n': 'all' }],
    [`${LORA}`, { version: 1, 'lora-version': 4, adapters: [] }],
  ])('names %s = %j', (path, value) => expect(configIssues(changed(path, value)).join('\n')).toContain(path.split('.').at(-1)));

  it.each([
    [`${ROPE}.version`, 1, /positional-encoding: [^]*version/],
    [`${ROPE}.rope-scaling`, { 'rope-type': 'yarn', factor: 8 }, /rope-scaling/],
    [`${ROPE}.rope-scaling`, { 'rope-type': 'longrope', 'short-factor': [1], 'long-factor': [1], 'original-max-position-embeddings': 8 }, /must have the length rope-dim/],
    [`${HTP}.pos-id-dim`, 32, /excludes pos-id-dim/],
    [`${HTP}.rope-theta`, 10000, /excludes rope-theta/],
    ['dialog.sampler.type', 'custom', /needs callback-name/],
    ['dialog.type', 'spd', /need a list of engines/],
    ['dialog.engine', [], /dialog\.engine/],
    [LORA, { version: 1, 'lora-version': 1, adapters: [adapter({ 'bin-sections': ['a.bin'] })] }, /need path/],
    [LORA, { version: 1, 'lora-version': 2, adapters: [adapter({ path: 'a' })] }, /need bin-sections/],
  ])('says why %s = %j is wrong', (path, value, message) => expect(configIssues(changed(path, value)).join('\n')).toMatch(message));

  it.each([
    ['the whole vendor form of the rope', `${ROPE}.rope-scaling`, { 'rope-type': 'linear', factor: 2 }],
    ['adapters as inputs', LORA, { version: 1, 'lora-version': 1, 'alpha-tensor-name': 'lora_alpha', adapters: [adapter({ path: 'a1' })] }],
    ['adapters as sections', LORA, { version: 1, 'lora-version': 3, adapters: [adapter({ 'bin-sections': ['a.bin', ''] })], groups: [{ name: 'g', members: ['a1'], 'quant-bin-sections': [] }] }],
    ['the smallest sampler', 'dialog.sampler', { version: 1 }],
    ['no sampler, which only create refuses', 'dialog.sampler', undefined],
    ['an embedding by table', 'dialog.embedding', { version: 1, size: 2048, type: 'lut', 'lut-path': 'e.raw', datatype: 'ufixed16', 'quant-param': { scale: 0.1, offset: -3 } }],
    ['any word as the way of the cache', `${HTP}.kv-update-method`, 'anything'],
    ['a sliding window', 'dialog.engine.longcontext', { version: 1, type: 'sliding-window' }],
  ])('takes %s', (_, path, value) => expect(configIssues(changed(path, value))).toEqual([]));

  it('takes a list of engines where two work together', () => {
    const { engine } = genieConfig(FACTS)['dialog'] as { engine: object };
    const two = changed('dialog.engine', [{ ...engine, role: 'target' }, { ...engine, role: 'draft' }]) as { dialog: { type: string } };
    two.dialog.type = 'spd';
    expect(configIssues(two)).toEqual([]);
  });

  it.each([undefined, null, 1, 'x', [], {}, { dialog: null }])('says what %j lacks', (config) => expect(configIssues(config).length).toBeGreaterThan(0));
});
