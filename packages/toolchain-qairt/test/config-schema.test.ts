/** The schema of genie_config.json: what the writer makes passes, and everything is answered as the runtime's own validator did. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GENIE_ENGINE, genieConfig } from '@tundish/container';
import type { GenieFacts } from '@tundish/container';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { configIssues } from '../src/genie/config-schema.js';

interface Answers {
  readonly bases: Readonly<Record<string, object>>;
  /** Base, 1 where Genie takes it, and what is changed in it: a path of keys with its value, or alone for a key that is taken out. */
  readonly answers: readonly (readonly [base: string, taken: 0 | 1, ...changes: readonly (readonly [path: string, value?: unknown])[]])[];
}

const RECORDED = JSON.parse(readFileSync(fileURLToPath(new URL('../../../test/fixtures/genie/config-answers.json', import.meta.url)), 'utf8')) as Answers;

function changed(base: object | undefined, changes: Answers['answers'][number][2][]): unknown {
  const config = structuredClone(base) as Record<string, unknown>;
  for (const [path, ...value] of changes) {
    const keys = path.split('.');
    const last = keys.pop() as string;
    const holder = keys.reduce((inner, key) => inner[key] as Record<string, unknown>, config);
    if (value.length === 0) Reflect.deleteProperty(holder, last);
    else holder[last] = value[0];
  }
  return config;
}

describe('the writer', () => {
  const scalings: fc.Arbitrary<GenieFacts['rope']['scaling']> = fc.oneof(
    fc.constant({ type: 'default' } as const),
    fc.record({ type: fc.constant('linear' as const), factor: fc.double({ min: 1, max: 64, noNaN: true }) }),
    fc.record({ type: fc.constant('llama3' as const), factor: fc.double({ min: 1, max: 64, noNaN: true }), lowFrequencyFactor: fc.constant(1), highFrequencyFactor: fc.constant(4), originalContextLength: fc.integer({ min: 1, max: 8192 }) }),
    fc.record({ type: fc.constant('longrope' as const), factor: fc.constant(32), shortFactor: fc.constant([1, 2]), longFactor: fc.constant([3, 4.5]), originalContextLength: fc.constant(4096) }),
  );
  const facts: fc.Arbitrary<GenieFacts> = fc.record({
    contextLength: fc.integer({ min: 2, max: 1 << 20 }), vocabularySize: fc.integer({ min: 1, max: 300000 }), headDim: fc.integer({ min: 1, max: 256 }),
    tokens: fc.record({ bos: fc.nat(), eos: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }), pad: fc.option(fc.nat()) }),
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
  it('answers as the validator of Genie 1.21 did, configuration by configuration', () => {
    const different = RECORDED.answers.filter(([base, taken, ...changes]) => (configIssues(changed(RECORDED.bases[base], changes)).length === 0) !== (taken === 1));
    expect(different).toEqual([]);
    expect(RECORDED.answers.filter(([, taken]) => taken === 1).length).toBeGreaterThan(100);
    expect(RECORDED.answers.filter(([, taken]) => taken === 0).length).toBeGreaterThan(500);
  });

  const HTP = 'dialog.engine.backend.QnnHtp';
  it.each([
    ['dialog.context.eos-token', undefined, /^dialog\.context\.eos-token: /],
    ['dialog.context.colour', 1, /^dialog\.context: [^]*"colour"/],
    [`${HTP}.cpu-mask`, 224, /^dialog\.engine\.backend\.QnnHtp\.cpu-mask: [^]*expected string/],
    [`${HTP}.pos-id-dim`, 32, /^dialog\.engine: positional-encoding excludes pos-id-dim/],
    ['dialog.engine.model.positional-encoding.version', 1, /^dialog\.engine\.model\.positional-encoding: [^]*"version"/],
    ['dialog.engine.model.positional-encoding.rope-scaling', { 'rope-type': 'yarn' }, /rope-scaling\.rope-type: /],
    ['dialog.type', 'spd', /type spd needs a section of its name\ndialog: types spd, eaglet, kv-share need a list/],
  ])('says where and why for %s = %j', (path, value, message) => expect(configIssues(changed(RECORDED.bases['plain'], [value === undefined ? [path] : [path, value]])).join('\n')).toMatch(message));

  it.each([undefined, null, 1, 'x', [], {}, { dialog: null }])('says what %j lacks', (config) => expect(configIssues(config).length).toBeGreaterThan(0));
});
