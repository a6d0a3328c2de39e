/** The recipe's options: defaults, ranges, and messages that name key, line and nearest name. */
import { describe, expect, it } from 'vitest';
import { parseRecipe } from '../src/parse-recipe.js';
import { nearestName } from '../src/nearest-name.js';
import { type PlainRecipe, recipeFileOf } from '../src/recipe-file.js';

const parse = (text: string) => parseRecipe(new TextEncoder().encode(text), 'recipe.yaml');

const EVERYTHING = `
checkpoint: ./c
toolchain: host
graphs: { ar: [1, 128], parts: 1 }
optimize: { foldNormGains: false, rotate: { r1: false, r2: false, r3: false } }
quantize:
  weights: { scheme: lpbq, bits: 4 }
  lmHead: { bits: 8 }
  embedding: { bits: 16 }
  activations: { bits: 16 }
  kvCache: { bits: 8 }
  calibration: { windows: 32, windowLength: 512 }
transform: {}
convert: {}
compile: {}
package: {}
evaluate: { protocol: mini, windowLength: 512 }
generation: { maxTokens: 256 }
`;

describe('parseRecipe', () => {
  it('takes an explicit default for an omitted one', () => {
    expect(parse('checkpoint: ./c').recipe).toEqual(parse(EVERYTHING).recipe);
  });

  it('is the same after a way through JSON, with the place of every key', () => {
    const file = parse(`${EVERYTHING}stages:\n  - { use: ./prune.ts, after: load, options: { share: 0.5, more: [1, { "a/b": null }] } }\n`);
    const again = recipeFileOf(JSON.parse(JSON.stringify(file.plain())) as PlainRecipe, 'recipe.yaml');
    expect(again).toMatchObject({ recipe: file.recipe, path: file.path });
    for (const key of [['graphs', 'ar', 1], ['quantize', 'calibration', 'windows'], ['stages', 0, 'options', 'more', 1, 'a/b'], ['stages', 0, 'name'], ['nothing']]) expect(again.locate(key)).toEqual(file.locate(key));
    expect(again.locate(['stages', 0, 'options', 'more', 1, 'a/b'])).toEqual({ line: 20, column: 72 });
  });

  it('sorts the lists of graphs', () => {
    expect(parse('checkpoint: ./c\ngraphs: {ar: [128, 1, 32], cl: [1024, 512]}').recipe.graphs).toEqual({ ar: [1, 32, 128], cl: [512, 1024], parts: 1 });
  });

  it.each(['spinquant', 'spinquant_adascale'])('reads %s as a rotation and a scale a channel too, where nothing else is written', (name) => {
    const rotatedBy = (text: string) => {
      const { optimize, quantize } = parse(`checkpoint: ./c\nquantize: { recipe: ${name}${text}`).recipe;
      return [optimize.rotate, quantize === 'none' ? quantize : quantize.weights.scheme];
    };
    expect(rotatedBy(' }')).toEqual([{ r1: true, r2: false, r3: false }, 'per_channel']);
    expect(rotatedBy(', weights: { scheme: lpbq } }\noptimize: { rotate: { r3: true } }')).toEqual([{ r1: true, r2: false, r3: true }, 'lpbq']);
    expect(() => rotatedBy(' }\noptimize: { rotate: { r1: false } }')).toThrow(/RECIPE_VALUE: optimize\.rotate\.r1: false takes the rotation from quantize\.recipe[^]*:3:23/);
  });

  it('takes quantize: none', () => {
    expect(parse('checkpoint: org/name@main\nquantize: none').recipe.quantize).toBe('none');
  });

  it('locates keys, items and the parents of absent keys', () => {
    const file = parse('checkpoint: ./c\ngraphs:\n  ar: [1,\n    64]\n');
    expect(file.locate(['graphs', 'ar', 1])).toEqual({ line: 4, column: 5 });
    expect(file.locate(['graphs', 'parts'])).toEqual({ line: 2, column: 1 });
    expect(file.locate(['quantize', 'weights'])).toEqual({ line: 1, column: 1 });
  });

  it.each([
    ['quantize: {weights: {blocksize: 16}}', 'RECIPE_UNKNOWN_KEY: unknown key blocksize in quantize.weights', '2:22', 'did you mean blockSize?'],
    ['optimise: {}', 'RECIPE_UNKNOWN_KEY: unknown key optimise', '2:1', 'did you mean optimize?'],
    ['graphs:\n  ar: [1]\n  prats: 2', 'RECIPE_UNKNOWN_KEY: unknown key prats in graphs', '4:3', 'did you mean parts?'],
    ['import: {threads: 4}', 'RECIPE_UNKNOWN_KEY: unknown key threads in import', '2:10', 'the keys here are dtype'],
    ['constructor: 1', 'RECIPE_UNKNOWN_KEY: unknown key constructor', '2:1', 'the keys here are checkpoint, import'],
    ['optimize: {rotate: {r4: true}}', 'RECIPE_UNKNOWN_KEY: unknown key r4 in optimize.rotate', '2:21', 'r1'],
    ['toolchain: qnn', 'RECIPE_VALUE: toolchain must be one of host, qairt, not the text "qnn"', '2:1', 'write one of host, qairt'],
    ['toolchain: qairt', 'RECIPE_DEVICE: toolchain: qairt needs a chipset', '2:1', 'add chipset: sm8750'],
    ['toolchain: qairt\nchipset: sm8760', 'RECIPE_CHIP_UNKNOWN: no chip is called sm8760', '3:1', 'Did you mean'],
    ['toolchain: qairt\nchipset: [sm8750, snapdragon-8-elite]', 'RECIPE_DEVICE: chipset names SM8750 twice', '3:19', 'remove one of them'],
    ['toolchain: qairt\nchipset: sm8350', 'RECIPE_DEVICE: SM8350 cannot run these graphs', '3:1', 'name a newer chip'],
    ['chipset: sm8750', 'RECIPE_DEVICE: chipset has no meaning with toolchain: host', '2:1', 'toolchain: qairt'],
    ['compile: {vtcmMb: 8}', 'RECIPE_DEVICE: compile.vtcmMb has no meaning with toolchain: host', '2:11', 'remove vtcmMb'],
    ['toolchain: qairt\nchipset: sm8750\nconvert: {numerics: htp}', 'RECIPE_DEVICE: convert.numerics has no meaning with toolchain: qairt', '4:11', 'remove numerics'],
    ['convert: {numerics: htp}\nquantize: none', 'RECIPE_DEVICE: convert.numerics: htp has no meaning with quantize: none', '3:1', 'remove numerics'],
    ['convert: {numerics: htp}\nquantize: {activations: none}', 'RECIPE_DEVICE: convert.numerics: htp has no meaning with activations: none', '3:12', 'remove numerics, or activations'],
    ['convert: {numerics: htp}\nquantize: {kvCache: {granularity: head}}', 'RECIPE_DEVICE: convert.numerics: htp has no meaning with granularity: head', '3:22', 'remove numerics, or granularity'],
    ['convert: {numerics: htp}\ntransform: {mha2sha: false}', 'RECIPE_DEVICE: convert.numerics: htp has no meaning with transform.mha2sha: false', '3:13', 'remove numerics, or mha2sha'],
    ['convert: {rotaryEmbedding: operation}', 'RECIPE_DEVICE: convert.rotaryEmbedding: operation has no meaning with numerics: exact', '2:11', 'remove rotaryEmbedding, or add numerics: htp'],
    ['toolchain: qairt\nchipset: sm8750\nconvert: {rotaryEmbedding: one}', 'RECIPE_VALUE: convert.rotaryEmbedding must be one of composed, operation, not the text "one"', '4:11', 'write one of composed, operation'],
    ['toolchain: qairt\nchipset: sm8750\ncompile: {prepack: true}', 'RECIPE_DEVICE: compile.prepack has no meaning with toolchain: qairt', '4:11', 'remove prepack'],
    ['toolchain: qairt\nchipset: sm8750\ncompile: {vtcmMb: 16}', 'RECIPE_DEVICE: compile.vtcmMb is 16, SM8750 has 8 MiB', '4:11', 'write vtcmMb: 8'],
    ['toolchain: qairt\nchipset: sm8750\nquantize: none', 'RECIPE_DEVICE: quantize: none cannot be compiled by qairt', '4:1', 'toolchain: host'],
    ['toolchain: qairt\nchipset: sm8750\nquantize: {activations: none}', 'RECIPE_DEVICE: activations: none cannot be compiled', '4:12', 'write convert: { precision: fp16 }'],
    ['convert: {precision: fp16}\nquantize: {activations: none}', 'RECIPE_DEVICE: convert.precision has no meaning with toolchain: host', '2:11', 'remove precision'],
    ['toolchain: qairt\nchipset: sm8750\nconvert: {precision: fp16}', 'RECIPE_DEVICE: convert.precision: fp16 has no meaning with quantized activations', '4:11', 'write quantize: { activations: none, weights: { scheme: per_channel, bits: 4 } }'],
    ['toolchain: qairt\nchipset: sm8750\nconvert: {precision: fp16}\nquantize: none', 'RECIPE_DEVICE: quantize: none cannot be compiled by qairt', '5:1', 'toolchain: host'],
    ['toolchain: qairt\nchipset: sm8750\nconvert: {precision: fp16}\nquantize: {activations: none}', 'RECIPE_DEVICE: convert.precision: fp16 cannot be compiled with weights of scheme: lpbq', '5:1', 'write scheme: per_channel'],
    ['toolchain: qairt\nchipset: sm8750\nconvert: {precision: fp16}\nquantize: {activations: none, weights: {scheme: per_block}}', 'RECIPE_DEVICE: convert.precision: fp16 cannot be compiled with weights of scheme: per_block', '5:41', 'write scheme: per_channel'],
    ['toolchain: qairt\nchipset: sm8750\nconvert: {precision: fp16}\nquantize: {activations: none, weights: {scheme: per_channel}, overrides: [{layers: "model.layers.0.mlp.up_proj", scheme: lpbq, bits: 4}]}', 'RECIPE_DEVICE: convert.precision: fp16 cannot be compiled with weights of scheme: lpbq', '5:114', 'write scheme: per_channel'],
    ['toolchain: qairt\nchipset: sm8750\nconvert: {precision: fp16, rotaryEmbedding: operation}\nquantize: {activations: none, weights: {scheme: per_channel}}', 'RECIPE_DEVICE: convert.rotaryEmbedding: operation cannot be compiled with precision: fp16', '4:28', 'remove rotaryEmbedding'],
    ['toolchain: qairt\nchipset: sm8450\nconvert: {precision: fp16}\nquantize: {activations: none, weights: {scheme: per_channel}}', 'RECIPE_DEVICE: SM8450 cannot run these graphs', '3:1', 'name a newer chip'],
    ['toolchain: qairt\nchipset: sm8750\nconvert: {precision: int8}', 'RECIPE_VALUE: convert.precision must be one of codes, fp16', '4:11', 'write one of codes, fp16'],
    ['toolchain: qairt\nchipset: sm8750\ntransform: {mha2sha: false}', 'RECIPE_DEVICE: transform.mha2sha: false cannot be compiled', '4:13', 'remove mha2sha'],
    ['toolchain: qairt\nchipset: sm8750\nquantize: {kvCache: {granularity: head}}', 'RECIPE_DEVICE: granularity: head cannot be compiled', '4:22', 'remove granularity'],
    ['convert: {native_kv: true}', 'RECIPE_UNKNOWN_KEY: unknown key native_kv in convert', '2:11', 'remove it'],
    ['compile: {nativeKv: true}', 'the layout of its tiles is not public', '2:11', 'remove it'],
    ['convert: {act_bitwidth: 16}', 'activations have 16 bits', '2:11', 'quantize: { activations: { bits: 16 } }'],
    ['convert: {float_bitwidth: 32}', 'there is no other width', '2:11', 'precision: fp16'],
    ['quantize: nonne', 'RECIPE_VALUE: quantize must be none or a mapping, not the text "nonne"', '2:1', 'did you mean none?'],
    ['quantize:', 'RECIPE_VALUE: quantize must be none or a mapping, not empty', '2:1', 'or leave quantize out'],
    ['quantize: {weights: {blockSize: 128}}', 'RECIPE_VALUE: quantize.weights.blockSize must be one of 16, 32, 64, not 128', '2:22', 'write one of'],
    ['quantize: {weights: {bits: "4"}}', 'RECIPE_VALUE: quantize.weights.bits must be one of 4, 8, not the text "4"', '2:22', 'write one of 4, 8'],
    ['quantize: {calibration: {windows: 0}}', 'RECIPE_VALUE: quantize.calibration.windows must be at least 1, not 0', '2:26', 'write at least 1'],
    ['quantize: {activations: none, kvCache: {bits: 8}}', 'RECIPE_VALUE: quantize.kvCache has no meaning with activations: none', '2:31', 'remove kvCache, or remove activations: none'],
    ['quantize: {source: {encodings: ./e}, recipe: fast}', 'RECIPE_VALUE: quantize.recipe has no meaning with source', '2:38', 'remove recipe, or remove source'],
    ['quantize: {source: {encodings: ./e}, weights: {blockSize: 32}}', 'RECIPE_VALUE: quantize.weights has no meaning with source', '2:38', 'remove weights'],
    ['quantize: {source: {encodings: ./e}, calibration: {windows: 4}}', 'RECIPE_VALUE: quantize.calibration names no text', '2:38', 'write quantize.calibration.text'],
    ['quantize: {source: {encodings: ./e}, kvCache: {bits: 16}}', 'RECIPE_VALUE: quantize.kvCache has no meaning with source', '2:38', 'remove kvCache, or remove source'],
    ['quantize: {source: {encodings: ./e}, products: int16}', 'RECIPE_VALUE: quantize.products has no meaning with source', '2:38', 'remove products, or remove source'],
    ['quantize: {source: {encodings: ./e}, smoothing: {method: awq}}', 'RECIPE_VALUE: quantize.smoothing has no meaning with source', '2:38', 'remove smoothing, or remove source'],
    ['quantize: {source: {encodings: ./e}, activations: {observer: {method: mse}}}', 'RECIPE_VALUE: quantize.activations.observer observes nothing', '2:52', 'write quantize.calibration.text'],
    ['quantize: {source: {encodings: ./e}, activations: none, calibration: {text: ./t}}', 'RECIPE_VALUE: quantize.calibration has no meaning with activations: none', '2:57', 'remove calibration'],
    ['quantize: {source: {onnx: ./m.onnx}}', 'RECIPE_VALUE: quantize.source.encodings is missing', '2:12', 'write quantize.source.encodings'],
    ['quantize: {source: {encodings: ./e, onnx: ./m.onnx}}\noptimize: {rotate: {r1: true}}', 'RECIPE_VALUE: optimize.rotate.r1 has no meaning with quantize.source.onnx', '3:21', 'remove it, or remove quantize.source.onnx'],
    ['quantize: {source: {encodings: ./e, onnx: ./m.onnx}}\nstages: [{use: ./s.ts, after: optimize}]', 'RECIPE_VALUE: stages[0] has no meaning with quantize.source.onnx', '3:10', 'remove it'],
    ['evaluate: {protocol: gptq-2048, windowLength: 512}', 'RECIPE_VALUE: evaluate.windowLength has no meaning with protocol: gptq-2048', '2:33', 'remove windowLength, or remove protocol'],
    ['evaluate: {protocol: gptq2048}', 'RECIPE_VALUE: evaluate.protocol must be one of mini, aimet-4096', '2:12', 'did you mean gptq-2048?'],
    ['quantize: {recipe: fast, products: int16}', 'RECIPE_VALUE: quantize.products has no meaning with these techniques', '2:26', 'remove products'],
    ['quantize: {recipe: minmax, floatWindows: 2}', 'RECIPE_VALUE: quantize.floatWindows has no meaning with these techniques', '2:28', 'lpbq_gptaq'],
    ['quantize: {correction: 0, floatWindows: 2}', 'RECIPE_VALUE: quantize.floatWindows has no meaning with these techniques', '2:27', 'remove floatWindows'],
    ['quantize: {floatWindows: 0}', 'RECIPE_VALUE: quantize.floatWindows must be at least 1, not 0', '2:12', 'at least 1'],
    ['quantize: {recipe: lpbq_seqmse, floatWindows: 2, refine: {method: signround}}', 'RECIPE_VALUE: quantize.floatWindows: 2 does not go with refine: { method: signround }', '2:33', 'remove floatWindows'],
    ['quantize:\n  recipe: minmax\n  activations: none\n  calibration: {windows: 4}', 'RECIPE_VALUE: quantize.calibration has no meaning with activations: none', '5:3', 'remove calibration'],
    ['transform: {mha2sha: yes}', 'RECIPE_VALUE: transform.mha2sha must be true or false, not the text "yes"', '2:13', 'true or false'],
    ['graphs: {ar: []}', 'RECIPE_VALUE: graphs.ar must be a list that is not empty, not an empty list', '2:10', 'write a list'],
    ['graphs: {ar: [1, 1.5]}', 'RECIPE_VALUE: graphs.ar[1] must be a whole number, not 1.5', '2:18', 'whole number'],
    ['graphs: {parts: 0}', 'RECIPE_VALUE: graphs.parts must be at least 1, not 0', '2:10', 'at least 1'],
    ['graphs: {ar: [0]}', 'RECIPE_VALUE: graphs.ar[0] must be at least 1, not 0', '2:15', 'at least 1'],
    ['graphs: {ar: [1, 8, 1]}', 'RECIPE_GRAPHS: graphs.ar names 1 twice', '2:21', 'remove one'],
    ['graphs: {cl: [512, 512]}', 'RECIPE_GRAPHS: graphs.cl names 512 twice', '2:20', 'remove one'],
    ['graphs: {ar: [128], cl: [512, 128]}', 'RECIPE_GRAPHS: graphs.cl 128 is not above the largest ar, 128', '2:31', 'write a cl above 128'],
    [`graphs: {ar: [${Array.from({ length: 13 }, (_, i) => i + 1).join(', ')}]}`, 'RECIPE_GRAPHS: graphs asks for 65 pairs', '2:1', 'name fewer'],
  ])('refuses %s', (line, message, at, fix) => {
    const action = () => parse(`checkpoint: ./c\n${line}\n`);
    expect(action).toThrow(message);
    expect(action).toThrow(`recipe.yaml:${at}`);
    expect(action).toThrow(fix);
  });

  it('names a misspelt checkpoint before the missing one', () => {
    expect(() => parse('checkpont: ./c\n')).toThrow('did you mean checkpoint?');
    expect(() => parse('toolchain: host\n')).toThrow('checkpoint is missing');
  });

  it.each(['c', 'a/b/c', 'org/', 'org/name@', '~/c', 'C:\\c'])('refuses the checkpoint %j', (checkpoint) => {
    expect(() => parse(`checkpoint: ${JSON.stringify(checkpoint)}`)).toThrow('is neither a path nor a hub id');
  });
});

describe('nearestName', () => {
  const names = ['blockSize', 'bits', 'scheme', 'quantize'];
  it.each([
    ['blocksize', 'blockSize'],
    ['BITS', 'bits'],
    ['btis', 'bits'],
    ['shceme', 'scheme'],
    ['quantise', 'quantize'],
    ['quantizes', 'quantize'],
    ['zorblax', undefined],
    ['', undefined],
    ['x'.repeat(10_000), undefined],
  ])('%s -> %s', (word, nearest) => expect(nearestName(word, names)).toBe(nearest));
});
