/** What a recipe may say: every option with its default, its range and the sentence that the documentation prints for it. */
import { z } from 'zod';
import { observer } from './calibration-schema.js';
import { chipset, compileOptions, packageOptions } from './device-schema.js';
import { CUSTOM_AFTER, DEFAULT_CL, EVALUATION_PROTOCOLS, IMPORT_DTYPES, NUMERICS, PRECISIONS, ROTARY_FORMS, TEXT_FORMATS, TOOLCHAINS } from './known-values.js';
import { quantizeSource } from './quantize-source.js';
import { techniqueOptions } from './technique-schema.js';
import { layerOptions, weightsOption } from './weight-schema.js';

// A process parses one recipe and one lock: compiling parsers for them would take longer than parsing.
z.config({ jitless: true });

const count = (meaning: string, min: number, max: number): z.ZodNumber => z.int().min(min).max(max).describe(meaning);
const oneOf = <const Values extends readonly [number, ...number[]]>(...values: Values): z.ZodLiteral<Values[number]> => z.literal([...values]);
const textFormat = z.enum(TEXT_FORMATS).optional().describe('`text`: plain text; `jsonl`: one `{"text": ...}` a line, joined by BOS; `chat`: one `{"messages": [...]}` a line, through the chat template; `tokens`: windows that are cut already, tensor `calibration_windows` or `eval_windows` (int32 [windows, length]) of a safetensors file. Default: by the name: `.chat.jsonl`, `.jsonl`, `.safetensors`, else text.');
const flag = (meaning: string): z.ZodBoolean => z.boolean().describe(meaning);

const graphs = z
  .strictObject({
    ar: z.array(count('tokens a pass', 1, 65_536)).min(1).default([1, 128]).describe('Tokens that one pass takes (AR): 1 for decoding, a larger one for prefill. Unique.'),
    cl: z.array(count('positions of attention', 2, 1_048_576)).min(1).optional().describe(`Context lengths (CL), each above the largest AR. Default: those of ${DEFAULT_CL.join(', ')} that the model's positions allow.`),
    parts: count('Parts that the decoder blocks are split into; each part has at least one block.', 1, 1024).default(1),
  })
  .describe('Which graphs are built: every AR with every CL, each split into parts.');

const activations = z
  .strictObject({ bits: oneOf(16).default(16).describe('Bits of an activation; asymmetric.'), observer: observer.default({ method: 'minmax' }).describe('What ranges are made of, from all that the calibration text gives: see [observers](techniques/observers.md). Known ranges stay what they are.') })
  .describe('Values between operations; `activations: none` quantizes weights only: activations and the cache stay in floating point, and calibration text is read only if a technique needs it.');

const quantizeOptions = z
  .strictObject({
    ...techniqueOptions,
    source: quantizeSource.optional(),
    weights: weightsOption.prefault({}),
    ...layerOptions,
    lmHead: z.strictObject({ bits: oneOf(8).default(8).describe('Bits of an lm_head code; one scale per vocabulary row.') }).prefault({}).describe('The output projection.'),
    embedding: z.strictObject({ bits: oneOf(16, 8).default(16).describe('Bits of an embedding code; one scale and zero point for the table.') }).prefault({}).describe('The token embedding.'),
    activations: z.union([z.literal('none'), activations]).prefault({}),
    kvCache: z.strictObject({ bits: z.literal([8, 16, 'auto']).default(8).describe('Bits of a cached key or value; symmetric around the middle code. `auto`: 8, and 16 in layers whose attention 8 bits change too much on held-out windows: see [bits of the cache](techniques/observers.md#bits-of-the-cache).'), granularity: z.enum(['tensor', 'head']).default('tensor').describe('What shares a scale: all keys or values of a layer, or those of one head, which needs `transform: { mha2sha: true }`.') }).prefault({}).describe('The key and value cache.'),
    calibration: z
      .strictObject({
        text: z.string().min(1).optional().describe('UTF-8 text file, relative to the recipe. Default: calibration.txt in the checkpoint folder.'),
        format: textFormat,
        windows: count('Windows of the text that are run, at equal distances.', 1, 100_000).default(32),
        windowLength: count('Tokens of one window.', 2, 1_048_576).default(512),
      })
      .prefault({})
      .describe('The text on which activation ranges are measured, and which techniques learn from.'),
  })
  .describe('Quantization; `quantize: none` builds in floating point.');

const optimize = z
  .strictObject({
    foldNormGains: flag('Fold the gains of the norms into the projections that follow; equal in function. A gain that varies within a block costs block-quantized weights accuracy, so it is off unless a rewrite needs it: `rotate.r1` turns it on.').default(false),
    rotate: z
      .strictObject({
        r1: flag('Rotate the residual stream: the embedding and every weight that reads or writes it. Unties a tied head.').default(false),
        r2: flag('Rotate the heads of values, between `v_proj` and `o_proj`.').default(false),
        r3: flag('Rotate the heads of queries and keys behind the rotary embedding, by a product in the graph; the cache holds rotated keys.').default(false),
      })
      .prefault({})
      .describe('Hadamard rotations, equal in function, that spread outliers of single channels over all: see [rotations](rotation.md).'),
  })
  .describe('Rewrites that keep the function.');

const customStage = z.strictObject({
  use: z.string().min(1).describe('File of the stage, beginning with ./ or ../ or /, relative to the recipe; or the name of an installed package.'),
  after: z.enum(CUSTOM_AFTER).describe('The stage whose result it takes, and whose place its result takes for everything behind. Several behind one stage run in the order of the recipe.'),
  options: z.record(z.string(), z.json()).default({}).describe("What the schema of the stage asks for; the lock holds them with the schema's defaults."),
});

/** The recipe as a user writes it; parsing fills in the defaults. */
export const recipeSchema = z.strictObject({
  checkpoint: z.string().min(1).describe('Folder of the checkpoint or a .gguf file, beginning with ./ or ../ or /, relative to the recipe; or a hub id `org/name`, optionally `org/name@revision`.'),
  import: z.strictObject({ dtype: z.enum(IMPORT_DTYPES).default('float16').describe('What the tensors that a GGUF file holds quantized or as float32 matrices become.') }).prefault({}).describe('How a GGUF file is imported; has no meaning for other checkpoints.'),
  toolchain: z.enum(TOOLCHAINS).default('host').describe('What compiles and runs the graphs.'),
  chipset: chipset.optional(),
  graphs: graphs.prefault({}),
  optimize: optimize.prefault({}),
  quantize: z.union([z.literal('none'), quantizeOptions]).prefault({}),
  transform: z.strictObject({ mha2sha: flag('Give each attention head operations of its own, as accelerators want them. Default: what the toolchain runs best; `host` runs whole layers faster, so false; `qairt` runs nothing else, so true.').optional() }).prefault({}).describe('Rewrites of the graphs for the target.'),
  convert: z.strictObject({
    numerics: z.enum(NUMERICS).default('exact').describe('`host`: how it computes on codes: `exact` sums, rounded once, or `htp`, as a Hexagon processor does, which predicts a device: see [numerics of a device](numerics-htp.md). `htp` needs quantized activations and heads with operations of their own (`transform.mha2sha`, then true by default).'),
    rotaryEmbedding: z.enum(ROTARY_FORMS).default('composed').describe('What rotates queries and keys on a Hexagon processor: `composed`, four products, a difference and a sum with a rounding each, or `operation`, one operation of its compiler: see [rotary embedding as one operation](device.md#rotary-embedding-as-one-operation). `qairt`, and `host` with `numerics: htp`, which predicts it.'),
    precision: z.enum(PRECISIONS).optional().describe('`qairt`: what activations and the cache are: `codes` on grids that calibration measures, or `fp16`, half floats, which need `quantize: { activations: none }` and weights of scheme `per_channel`: see [half precision](device.md#half-precision). Default: `codes`.'),
  }).prefault({}).describe('Lowering to the form of the toolchain.'),
  compile: compileOptions.prefault({}),
  package: packageOptions.prefault({}),
  stages: z.array(customStage).max(32).default([]).describe('Stages of your own, from a file or a package: see [writing a stage](writing-a-stage.md#a-stage-of-your-own-in-a-recipe).'),
  evaluate: z
    .strictObject({
      text: z.string().min(1).optional().describe('UTF-8 text file, relative to the recipe. Default: eval.txt in the checkpoint folder.'),
      format: textFormat,
      protocol: z.enum(EVALUATION_PROTOCOLS).default('mini').describe('How the text is cut, scored and averaged: see [protocols](evaluation.md#protocols).'),
      windowLength: count('Tokens of one scored window of the protocol `mini`; the others have their own.', 2, 1_048_576).default(512),
    })
    .prefault({})
    .describe('How quality is measured.'),
  observers: z.array(z.string().min(1)).default([]).describe('Modules that are told of the build while it runs: a TypeScript or JavaScript file, relative to the recipe, or a package. They change no result and no key.'),
  generation: z.strictObject({ maxTokens: count('Tokens generated when the command does not say.', 1, 1_048_576).default(256) }).prefault({}).describe('Defaults of text generation.'),
});

/** A recipe with every default filled in; AR and CL ascending. `graphs.cl` stays absent when the model decides. */
export type Recipe = z.infer<typeof recipeSchema>;

/** Options of the quantize stage as the recipe gives them. */
export type QuantizeRecipe = z.infer<typeof quantizeOptions>;
