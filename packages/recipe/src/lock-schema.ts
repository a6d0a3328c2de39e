/** The form of recipe.lock.json. */
import { z } from 'zod';
import { observer } from './calibration-schema.js';
import { CUSTOM_AFTER, DEVICE_SYSTEMS, EVALUATION_PROTOCOLS, IMPORT_DTYPES, PERFORMANCE_PROFILES, TEXT_FORMATS } from './known-values.js';
import { LOCK_SCHEMA } from './lock.js';
import { quantizeSourceLock } from './quantize-source.js';
import { techniqueLock } from './technique-schema.js';
import { weightSchemeLock } from './weight-schema.js';

// As in schema.ts: one lock is parsed.
z.config({ jitless: true });

const text = z.string().min(1);
const positive = z.int().min(1);
const pin = z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().min(0) });
// Absent for plain text, so that such a lock is what it was before texts could have a format.
const format = z.enum(TEXT_FORMATS).exclude(['text']).optional();
const bits = z.strictObject({ bits: positive });
const empty = z.strictObject({});

const calibrationLock = pin.extend({ text, format, windows: positive, windowLength: positive });
const weightsLock = z.strictObject({
  technique: techniqueLock,
  weights: weightSchemeLock,
  // By name of the projection; absent when there are none.
  overrides: z.record(text, weightSchemeLock).optional(),
  mixedPrecision: z.strictObject({ budget: z.number().gt(1).max(2) }).optional(),
  lmHead: bits.extend({ bits: z.literal(8) }),
  embedding: bits.extend({ bits: z.literal([8, 16]) }),
});
// With a calibration where a technique reads one.
export const weightsOnlyLock = weightsLock.extend({ activations: z.literal('none'), calibration: calibrationLock.optional() });
export const quantizeLock = weightsLock.extend({
  activations: bits.extend({ bits: z.literal(16), observer }),
  kvCache: z.strictObject({ bits: z.literal([8, 16, 'auto']), granularity: z.enum(['tensor', 'head']) }),
  calibration: calibrationLock,
});

// Scales that were made elsewhere; with a calibration where it measures activations that they leave out.
export const sourceLock = z.strictObject({
  source: quantizeSourceLock,
  embedding: bits.extend({ bits: z.literal([8, 16]) }),
  activations: z.union([z.literal('none'), bits.extend({ bits: z.literal(16), observer })]),
  calibration: calibrationLock.optional(),
});

export const importLock = z.strictObject({ dtype: z.enum(IMPORT_DTYPES) });

const stage = <Options extends z.ZodType>(options: Options) => z.strictObject({ options });
const toolStage = <Options extends z.ZodType>(options: Options) => z.strictObject({ options, toolchain: z.strictObject({ name: text, version: text }) });

const hostCompileLock = z.strictObject({ prepack: z.boolean() });

export const deviceCompileLock = z.strictObject({
  /** In the order of the recipe. */
  chips: z.array(z.strictObject({ name: text, vtcmMb: positive, weightSharing: z.boolean() })).min(1),
  optimizationLevel: z.literal([1, 2, 3]),
  hvxThreads: positive.optional(),
  dlbc: z.boolean(),
});

export const devicePackageLock = z.strictObject({
  profile: z.enum(PERFORMANCE_PROFILES),
  domain: z.enum(['unsigned', 'signed']),
  system: z.enum(DEVICE_SYSTEMS).optional(),
  folder: text.optional(),
  spillFillMb: z.int().min(0),
  stopSequences: z.array(text),
});

export const customLock = z.strictObject({
  use: text,
  after: z.enum(CUSTOM_AFTER),
  reads: text,
  description: text.optional(),
  options: z.record(z.string(), z.json()),
  code: pin.shape.sha256,
});

export const lockSchema = z.strictObject({
  schema: z.literal(LOCK_SCHEMA),
  model: text,
  source: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('folder'), location: text, files: z.record(text, pin) }),
    z.strictObject({ kind: z.literal('gguf'), location: text, file: pin, import: importLock, importer: positive, files: z.record(text, pin) }),
    z.strictObject({ kind: z.literal('hub'), location: text, revision: text, files: z.record(text, pin) }),
  ]),
  // What config.json allows, so that the recipe can be resolved where the checkpoint is not; absent in older locks.
  limits: z.strictObject({ layers: positive, maxPositionEmbeddings: positive }).optional(),
  cells: z.record(text, z.strictObject({ ar: positive, cl: positive, part: positive, parts: positive })),
  // `chip` of a build for devices.
  parts: z.record(text, z.strictObject({ chip: text.optional(), part: positive, parts: positive, cells: z.array(text) })),
  stages: z.strictObject({
    load: stage(empty),
    optimize: stage(z.strictObject({ foldNormGains: z.boolean(), rotate: z.strictObject({ r1: z.boolean(), r2: z.boolean(), r3: z.boolean() }).optional() })),
    quantize: stage(z.union([z.literal('none'), sourceLock, weightsOnlyLock, quantizeLock])),
    arcl: stage(z.strictObject({ ar: z.array(positive).min(1), cl: z.array(positive).min(1) })),
    transform: stage(z.strictObject({ mha2sha: z.boolean() })),
    // Defaults are absent, so that such a lock is what it was before there was a choice.
    convert: toolStage(z.strictObject({ numerics: z.literal('htp').optional(), rotaryEmbedding: z.literal('operation').optional(), precision: z.literal('fp16').optional() })),
    compile: toolStage(z.union([hostCompileLock, deviceCompileLock])),
    package: stage(z.union([empty, devicePackageLock])),
  }),
  // Absent where there is none, so that such a lock is what it was before recipes could name stages.
  custom: z.record(text, customLock).optional(),
  // `mini` alone has a window length of the recipe's choice, and no name in the lock.
  evaluate: z.union([
    z.strictObject({ text: text.nullable(), format, windowLength: positive }),
    z.strictObject({ text: text.nullable(), format, protocol: z.enum(EVALUATION_PROTOCOLS).exclude(['mini']) }),
  ]),
  generation: z.strictObject({ maxTokens: positive }),
  /** Modules that are told of the build; absent when there are none. No target and no key reads it. */
  observers: z.array(text).min(1).optional(),
});
