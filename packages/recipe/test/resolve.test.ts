/** Plan and lock: names, order, pins, and wishes that a model cannot fulfil. */
import { sha256 } from '@tundish/store';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeLock, lockDifferences } from '../src/lock.js';
import type { QuantizeOptions } from '../src/lock.js';
import { parseLock } from '../src/parse-lock.js';
import { planCells, planPairs, planParts } from '../src/plan.js';
import { calibrationText, evaluationText, parseCheckpointReference } from '../src/source-reference.js';
import { QUANTIZE_RECIPES } from '../src/technique.js';
import { recipeOptions } from './recipe-options.js';
import { parse, pin, resolve } from './resolving.js';

const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 6 });

describe('the plan', () => {
  it('has the names that projects and folders carry', () => {
    const plan = { ar: [128, 1], cl: [1024, 512], parts: 2 };
    expect(planPairs(plan).map((pair) => pair.name)).toEqual(['ar1-cl512', 'ar1-cl1024', 'ar128-cl512', 'ar128-cl1024']);
    expect(planCells(plan)[1]).toEqual({ name: 'ar1-cl512-2of2', ar: 1, cl: 512, part: 2, parts: 2 });
    expect(planParts(plan)[0]).toEqual({ name: 'part1of2', part: 1, parts: 2, cells: ['ar1-cl512-1of2', 'ar1-cl1024-1of2', 'ar128-cl512-1of2', 'ar128-cl1024-1of2'] });
  });

  it('puts every cell into exactly one part and one pair, under one name, in any order of the lists', () => {
    fc.assert(fc.property(numbers, numbers, fc.integer({ min: 1, max: 8 }), (ar, cl, parts) => {
      const plan = { ar, cl, parts };
      const names = planCells(plan).map((cell) => cell.name);
      expect(new Set(names).size).toBe(ar.length * cl.length * parts);
      expect(planParts(plan).flatMap((part) => part.cells).sort()).toEqual([...names].sort());
      expect(names.length).toBe(planPairs(plan).length * parts);
      expect(planCells({ ar: [...ar].reverse(), cl: [...cl].reverse(), parts })).toEqual(planCells(plan));
    }));
  });

  it('keeps the names of all other cells when a CL is added', () => {
    fc.assert(fc.property(numbers, numbers, (ar, cl) => {
      const more = new Set(planCells({ ar, cl: [...cl, 6000], parts: 2 }).map((cell) => cell.name));
      for (const cell of planCells({ ar, cl, parts: 2 })) expect(more.has(cell.name)).toBe(true);
    }));
  });
});

describe('resolveRecipe', () => {
  it('fills in what the model decides and pins what was found', () => {
    const lock = resolve('graphs: {parts: 2}');
    expect(lock.stages.arcl.options).toEqual({ ar: [1, 128], cl: [512, 1024, 2048] });
    expect(Object.keys(lock.cells)).toHaveLength(12);
    expect(lock.parts['part2of2']?.cells).toContain('ar128-cl2048-2of2');
    expect(lock.stages.convert).toEqual({ options: {}, toolchain: { name: 'host', version: 'onnxruntime 1.30.0' } });
    expect(lock.stages.quantize.options).toMatchObject({ weights: { scheme: 'lpbq', bits: 4, blockSize: 32 }, calibration: { ...pin('calibration'), text: './checkpoint/calibration.txt', windows: 32, windowLength: 512 } });
    expect(lock.evaluate).toEqual({ text: './checkpoint/eval.txt', windowLength: 512 });
  });

  it('keeps the format of a text by its name or as given, and of a protocol with windows of its own no length', () => {
    const evaluated = (options: string) => resolve(`evaluate: {${options}}`).evaluate;
    expect(evaluated('text: ./a.jsonl')).toEqual({ text: './a.jsonl', format: 'jsonl', windowLength: 512 });
    expect(evaluated('text: ./a.CHAT.jsonl, windowLength: 64')).toEqual({ text: './a.CHAT.jsonl', format: 'chat', windowLength: 64 });
    expect(evaluated('text: ./a.jsonl, format: text, protocol: aimet-4096')).toEqual({ text: './a.jsonl', protocol: 'aimet-4096' });
    for (const [explicit, omitted] of [['text: ./a.jsonl, format: jsonl', 'text: ./a.jsonl'], ['text: ./a.txt, format: text', 'text: ./a.txt']] as const) expect(evaluated(explicit)).toEqual(evaluated(omitted));
    const calibrated = (options: string) => resolve(`quantize: {calibration: {${options}}}`).stages.quantize.options;
    expect(calibrated('text: ./a.txt, format: chat')).toMatchObject({ calibration: { text: './a.txt', format: 'chat' } });
    expect(calibrated('text: ./a.txt, format: text')).toEqual(calibrated('text: ./a.txt'));
    const lock = resolve('evaluate: {text: ./a.jsonl, protocol: llamacpp-512}');
    expect(parseLock(encodeLock(lock), 'recipe.lock.json')).toEqual(lock);
  });

  it('gives the same bytes for explicit defaults, comments and another order', () => {
    const plain = encodeLock(resolve(''));
    expect(encodeLock(resolve('generation: {maxTokens: 256} # as ever\ngraphs: {parts: 1, cl: [2048, 1024, 512], ar: [128, 1]}\nquantize: {lmHead: {bits: 8}}'))).toEqual(plain);
    expect(encodeLock(resolve('quantize: {weights: {blockSize: 16}}'))).not.toEqual(plain);
  });

  it('takes every default for the same as nothing, whichever is written out', () => {
    const plain = encodeLock(resolve(''));
    // Of the options without a default in the schema, these have one that the model, the toolchain or the checkpoint decides.
    const decided = { 'quantize.weights.blockSize': 32, 'graphs.cl': [512, 1024, 2048], 'transform.mha2sha': false, 'quantize.calibration.text': './checkpoint/calibration.txt', 'evaluate.text': './checkpoint/eval.txt' };
    // Import belongs to GGUF files; in the recipe of another checkpoint it is refused.
    const defaults = [...recipeOptions().flatMap((option) => (option.default === undefined || option.path.startsWith('import.') ? [] : [[option.path, option.default] as const])), ...Object.entries(decided)];
    expect(defaults.length).toBeGreaterThan(15);
    for (const [path, value] of defaults) {
      const nested = path.split('.').reverse().reduce<unknown>((inner, key) => ({ [key]: inner }), value) as object;
      const [[key, section] = []] = Object.entries(nested);
      expect(encodeLock(resolve(`${key}: ${JSON.stringify(section)}`)), path).toEqual(plain);
    }
  });

  it('reads back what it wrote, and its stages can be found by name', () => {
    for (const lock of [resolve(''), resolve('quantize: none', { source: { kind: 'hub', location: 'org/name', revision: 'abc', files: {} } })]) {
      expect(parseLock(encodeLock(lock), 'recipe.lock.json')).toEqual(lock);
      expect(new TextDecoder().decode(encodeLock(lock)).endsWith('}\n')).toBe(true);
    }
    expect(resolve('quantize: none').stages.quantize.options).toBe('none');
    expect([resolve(''), resolve('transform: {mha2sha: true}')].map(({ stages }) => stages.transform.options)).toEqual([{ mha2sha: false }, { mha2sha: true }]);
    const weights = resolve('quantize: {recipe: minmax, activations: none}');
    expect(parseLock(encodeLock(weights), 'recipe.lock.json')).toEqual(weights);
    expect(Object.keys(weights.stages.quantize.options)).toEqual(['technique', 'weights', 'lmHead', 'embedding', 'activations']);
  });

  it('names what changed', () => {
    expect(lockDifferences(resolve(''), resolve('quantize: {weights: {blockSize: 64}}', { source: { kind: 'folder', location: './checkpoint', files: { 'config.json': pin('changed'), 'model.safetensors': pin('weights') } } }))).toEqual([
      { path: 'source.files["config.json"].sha256', before: JSON.stringify(sha256('config')), after: JSON.stringify(sha256('changed')) },
      { path: 'source.files["config.json"].size', before: '6', after: '7' },
      { path: 'stages.quantize.options.weights.blockSize', before: '32', after: '64' },
    ]);
  });

  it('takes a scale for each head of the cache only where heads are values, and names observers with their options', () => {
    const cache = (text: string) => (resolve(text).stages.quantize.options as { kvCache: unknown }).kvCache;
    expect(cache('')).toEqual({ bits: 8, granularity: 'tensor' });
    expect(cache('quantize: { kvCache: { bits: auto, granularity: head } }\ntransform: { mha2sha: true }')).toEqual({ bits: 'auto', granularity: 'head' });
    expect(() => resolve('quantize: { kvCache: { granularity: head } }')).toThrow(expect.objectContaining({ code: 'RECIPE_VALUE', what: expect.stringContaining('granularity: head') as string, evidence: expect.objectContaining({ line: 2 }) as object }));
    const observer = (text: string) => (resolve(`quantize: { activations: { observer: ${text} } }`).stages.quantize.options as { activations: { observer: unknown } }).activations.observer;
    expect(observer('{ method: percentile }')).toEqual({ method: 'percentile', percentile: 99.99 });
    expect(observer('{ method: sqnr }')).toEqual({ method: 'sqnr', gamma: 3 });
    expect(() => observer('{ method: mse, gamma: 3 }')).toThrow(expect.objectContaining({ code: 'RECIPE_UNKNOWN_KEY' }));
    expect(() => observer('{ method: percentile, percentile: 40 }')).toThrow(expect.objectContaining({ code: 'RECIPE_VALUE' }));
  });

  it('names numerics only where they are those of a device, which need heads by themselves', () => {
    const { convert, transform } = resolve('convert: { numerics: htp }').stages;
    expect([convert.options, transform.options]).toEqual([{ numerics: 'htp' }, { mha2sha: true }]);
    expect(resolve('convert: { numerics: exact }').stages).toEqual(resolve('').stages);
    expect(resolve('').stages.convert.options).toEqual({});
  });

  it('names the form of rotary embeddings only where it is one operation', () => {
    const options = (text: string): unknown => resolve(text).stages.convert.options;
    expect(options('toolchain: qairt\nchipset: sm8750\nconvert: { rotaryEmbedding: operation }')).toEqual({ rotaryEmbedding: 'operation' });
    expect(options('toolchain: qairt\nchipset: sm8750\nconvert: { rotaryEmbedding: composed }')).toEqual({});
    expect(options('convert: { numerics: htp, rotaryEmbedding: operation }')).toEqual({ numerics: 'htp', rotaryEmbedding: 'operation' });
    expect(resolve('convert: { rotaryEmbedding: composed }').stages).toEqual(resolve('').stages);
  });

  it('folds gains for R1, and names rotations only where there are some', () => {
    const options = (text: string) => resolve(`optimize: ${text}`).stages.optimize.options;
    expect(options('{ rotate: { r1: false } }')).toEqual({ foldNormGains: false });
    expect(options('{ rotate: { r2: true } }')).toEqual({ foldNormGains: false, rotate: { r1: false, r2: true, r3: false } });
    expect(options('{ rotate: { r1: true } }')).toEqual({ foldNormGains: true, rotate: { r1: true, r2: false, r3: false } });
    expect(encodeLock(resolve('optimize: { rotate: { r1: true } }'))).toEqual(encodeLock(resolve('optimize: { foldNormGains: true, rotate: { r1: true, r2: false } }')));
    const lock = resolve('optimize: { rotate: { r3: true } }');
    expect(parseLock(encodeLock(lock), 'recipe.lock.json')).toEqual(lock);
  });

  it('gives a short model its own limit, and graphs for a large AR', () => {
    expect(resolve('', { maxPositionEmbeddings: 256 }).stages.arcl.options.cl).toEqual([256]);
    expect(resolve('graphs: {ar: [512]}').stages.arcl.options.cl).toEqual([1024, 2048]);
  });

  it.each([
    ['graphs:\n  cl: [512, 4096]', {}, 'RECIPE_CL_ABOVE_MODEL: graphs.cl 4096: the model has max_position_embeddings 2048', 'recipe.yaml:3:3'],
    ['graphs:\n  parts: 5', {}, 'RECIPE_PARTS_ABOVE_LAYERS: graphs.parts is 5, but the model has 4 layers', 'recipe.yaml:3:3'],
    ['graphs:\n  ar: [128]', { maxPositionEmbeddings: 128 }, 'RECIPE_GRAPHS: graphs.ar 128 leaves no context length', 'recipe.yaml:3:3'],
  ])('refuses %j of a model %j', (text, changes, message, at) => {
    expect(() => resolve(text, changes)).toThrow(message);
    expect(() => resolve(text, changes)).toThrow(at);
  });

  it('smooths by AWQ with text, but not a rotated residual stream', () => {
    const smoothing = 'smoothing: {method: awq}';
    const { technique, calibration } = resolve(`quantize: {recipe: fast, activations: none, ${smoothing}}`).stages.quantize.options as QuantizeOptions;
    expect(technique).toEqual({ ...QUANTIZE_RECIPES.fast, smoothing: { method: 'awq', points: 20 } });
    expect(calibration).toMatchObject(pin('calibration'));
    expect(encodeLock(resolve('quantize: {smoothing: {method: none}}'))).toEqual(encodeLock(resolve('')));
    const rotated = (text: string) => () => resolve(`optimize: {rotate: {r1: true}}\nquantize:\n  ${text}`);
    expect(rotated(smoothing)).toThrow(/RECIPE_SMOOTHING: .*rotate\.r1[^]*recipe\.yaml:4:3/);
    expect(rotated('smoothing: {method: none}')).not.toThrow();
    expect(() => resolve(`optimize: {foldNormGains: true, rotate: {r2: true, r3: true}}\nquantize: {${smoothing}}`)).not.toThrow();
  });

  it('refuses to quantize without a calibration text', () => {
    const file = parse('checkpoint: org/name\nquantize:\n  calibration: {windows: 8}');
    expect(() => resolve('', { file })).toThrow('RECIPE_CALIBRATION_MISSING');
    expect(() => resolve('', { file })).toThrow('recipe.yaml:3:3');
  });
});

describe('a model that was quantized elsewhere', () => {
  const given = 'quantize: { source: { encodings: ./e.json, onnx: ./m.onnx, names: { theirs: ours } }';
  const quantizeSource = { encodings: pin('e'), onnx: { ...pin('m'), data: { 'm.data': pin('d') } } };

  it('is pinned with all its files, and reads no text that nobody named', () => {
    const lock = resolve(`${given} }`, { quantizeSource });
    expect(lock.stages.quantize.options).toEqual({
      source: { encodings: { ...pin('e'), path: './e.json' }, onnx: { ...pin('m'), path: './m.onnx', data: { 'm.data': pin('d') } }, names: { theirs: 'ours' } },
      embedding: { bits: 16 },
      activations: { bits: 16, observer: { method: 'minmax' } },
    });
    expect(parseLock(encodeLock(lock), 'recipe.lock.json')).toEqual(lock);
    expect(calibrationText(parse(`checkpoint: ./c\n${given} }`).recipe)).toBeUndefined();
    expect(resolve(`${given}, calibration: { text: ./t.txt, windows: 4 } }`, { quantizeSource }).stages.quantize.options).toMatchObject({ calibration: { text: './t.txt', windows: 4 } });
  });

  it('whose files are not there is refused with the line that names them', () => {
    expect(() => resolve(`${given} }`)).toThrow('RECIPE_SOURCE_MISSING: ./e.json was not found');
    expect(() => resolve(`${given} }`, { quantizeSource: { encodings: pin('e') } })).toThrow('RECIPE_SOURCE_MISSING: ./m.onnx was not found');
    expect(() => resolve(`${given} }`)).toThrow('recipe.yaml:2:23');
  });
});

describe('parseLock', () => {
  const text = new TextDecoder().decode(encodeLock(resolve('')));
  it.each([
    ['cut', text.slice(0, 100), 'RECIPE_LOCK_JSON'],
    ['of another schema', text.replace(/"schema": \d+/, '"schema": 1'), 'RECIPE_LOCK_SCHEMA'],
    ['with an unknown field', text.replace('"generation"', '"generations"'), 'RECIPE_LOCK_INVALID: the lock file does not have the expected form'],
    ['with a short digest', text.replace(sha256('weights'), 'abc'), 'source.files.model.safetensors.sha256'],
  ])('refuses a lock %s', (_, content, message) => {
    expect(() => parseLock(new TextEncoder().encode(content), 'recipe.lock.json')).toThrow(message);
    expect(() => parseLock(new TextEncoder().encode(content), 'recipe.lock.json')).toThrow('@tundish/nx:lock');
  });
});

describe('references', () => {
  it.each([
    ['./checkpoint', { kind: 'folder', location: './checkpoint' }],
    ['../shared/c/', { kind: 'folder', location: '../shared/c/' }],
    ['/data/c', { kind: 'folder', location: '/data/c' }],
    ['.', { kind: 'folder', location: '.' }],
    ['meta-llama/Llama-3.2-1B', { kind: 'hub', location: 'meta-llama/Llama-3.2-1B', revision: undefined }],
    ['org/name@refs/pr/1', { kind: 'hub', location: 'org/name', revision: 'refs/pr/1' }],
    ['.hidden/x', undefined],
    ['org/../name', undefined],
  ])('%s', (text, reference) => expect(parseCheckpointReference(text)).toEqual(reference));

  it('texts lie in a checkpoint folder, and nowhere for a hub id', () => {
    expect(calibrationText(parse('checkpoint: ../c/').recipe)).toBe('../c/calibration.txt');
    expect(evaluationText(parse('checkpoint: ../c\nevaluate: {text: ./e.txt}').recipe)).toBe('./e.txt');
    expect(calibrationText(parse('checkpoint: org/name').recipe)).toBeUndefined();
    expect(calibrationText(parse('checkpoint: ./c\nquantize: none').recipe)).toBeUndefined();
  });
});
