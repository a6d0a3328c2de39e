/** recipe.lock.json: the recipe with every choice made and every input pinned; stages and Nx read nothing else of it. */
import { messageOf, printable } from '@tundish/diagnostics';
import { canonicalJson, leafDifferences, leavesOf } from '@tundish/store';
import type { LeafDifference } from '@tundish/store';
import { z } from 'zod';
import { recipeError } from './errors.js';
import { CUSTOM_AFTER, IMPORT_DTYPES } from './schema.js';

export type { CheckpointReference } from './source-reference.js';

/** Version of the form below. */
export const LOCK_SCHEMA = 2;

const text = z.string().min(1);
const positive = z.int().min(1);
const pin = z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().min(0) });
const bits = z.strictObject({ bits: positive });
const empty = z.strictObject({});

const weightsLock = z.strictObject({
  weights: z.strictObject({ scheme: z.literal('lpbq'), bits: z.literal(4), blockSize: z.literal([16, 32, 64]) }),
  lmHead: bits.extend({ bits: z.literal(8) }),
  embedding: bits.extend({ bits: z.literal([8, 16]) }),
});
const weightsOnlyLock = weightsLock.extend({ activations: z.literal('none') });
const quantizeLock = weightsLock.extend({
  activations: bits.extend({ bits: z.literal(16) }),
  kvCache: bits.extend({ bits: z.literal(8) }),
  calibration: pin.extend({ text, windows: positive, windowLength: positive }),
});

const importLock = z.strictObject({ dtype: z.enum(IMPORT_DTYPES) });

const stage = <Options extends z.ZodType>(options: Options) => z.strictObject({ options });
const toolStage = <Options extends z.ZodType>(options: Options) => z.strictObject({ options, toolchain: z.strictObject({ name: text, version: text }) });

const customLock = z.strictObject({
  use: text,
  after: z.enum(CUSTOM_AFTER),
  reads: text,
  description: text.optional(),
  options: z.record(z.string(), z.json()),
  code: pin.shape.sha256,
});

const lockSchema = z.strictObject({
  schema: z.literal(LOCK_SCHEMA),
  model: text,
  source: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('folder'), location: text, files: z.record(text, pin) }),
    z.strictObject({ kind: z.literal('gguf'), location: text, file: pin, import: importLock, importer: positive, files: z.record(text, pin) }),
    z.strictObject({ kind: z.literal('hub'), location: text, revision: text, files: z.record(text, pin) }),
  ]),
  cells: z.record(text, z.strictObject({ ar: positive, cl: positive, part: positive, parts: positive })),
  parts: z.record(text, z.strictObject({ part: positive, parts: positive, cells: z.array(text) })),
  stages: z.strictObject({
    load: stage(empty),
    optimize: stage(z.strictObject({ foldNormGains: z.boolean(), rotate: z.strictObject({ r1: z.boolean(), r2: z.boolean(), r3: z.boolean() }).optional() })),
    quantize: stage(z.union([z.literal('none'), weightsOnlyLock, quantizeLock])),
    arcl: stage(z.strictObject({ ar: z.array(positive).min(1), cl: z.array(positive).min(1) })),
    transform: stage(z.strictObject({ mha2sha: z.boolean() })),
    convert: toolStage(empty),
    compile: toolStage(z.strictObject({ prepack: z.boolean() })),
    package: stage(empty),
  }),
  // Absent where there is none, so that such a lock is what it was before recipes could name stages.
  custom: z.record(text, customLock).optional(),
  evaluate: z.strictObject({ text: text.nullable(), windowLength: positive }),
  generation: z.strictObject({ maxTokens: positive }),
  /** Modules that are told of the build; absent when there are none. No target and no key reads it. */
  observers: z.array(text).min(1).optional(),
});

/** A lock file; see the fields' own types below for the slice that each stage reads. */
export type Lock = z.infer<typeof lockSchema>;
/** What the lock says of each stage: `Lock['stages']`. */
export type LockStages = Lock['stages'];
export type StageName = keyof LockStages;
/** Options of a quantized build; a floating-point build has `'none'` in their place. */
export type QuantizeOptions = z.infer<typeof weightsOnlyLock> | z.infer<typeof quantizeLock>;
/**
 * A stage of the user's own, by its name in `Lock.custom`. `reads` is the stage whose result it takes: `after`, or the custom
 * stage before it in the recipe; `code` is the sha256 of its module and of what that imports, packages by version.
 */
export type CustomStageLock = z.infer<typeof customLock>;
/** How a GGUF file becomes a checkpoint. */
export type ImportOptions = z.infer<typeof importLock>;
/** Where the checkpoint comes from and the digest of each of its files, by file name. */
export type LockSource = Lock['source'];

/** The stages in the order in which they run. */
export const STAGE_NAMES: readonly StageName[] = ['load', 'optimize', 'quantize', 'arcl', 'transform', 'convert', 'compile', 'package'];

/** The bytes of recipe.lock.json: canonical JSON with two spaces and a final newline, the same on every machine. */
export function encodeLock(lock: Lock): Uint8Array {
  return new TextEncoder().encode(`${canonicalJson(lock, 2)}\n`);
}

/**
 * Reads the bytes of a lock file.
 *
 * @param path where the bytes come from, for messages
 * @throws RECIPE_LOCK_JSON, RECIPE_LOCK_SCHEMA, RECIPE_LOCK_INVALID
 */
export function parseLock(bytes: Uint8Array, path: string): Lock {
  const fix = 'write it again from recipe.yaml: npx nx g @tundish/nx:lock';
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw recipeError('RECIPE_LOCK_JSON', { what: 'the lock file is not JSON', why: printable(messageOf(cause)), evidence: { path }, fix, cause });
  }
  const versioned = z.object({ schema: z.number() }).safeParse(value);
  if (versioned.success && versioned.data.schema !== LOCK_SCHEMA) {
    throw recipeError('RECIPE_LOCK_SCHEMA', { what: `the lock file has schema ${versioned.data.schema}, this version reads ${LOCK_SCHEMA}`, evidence: { path }, fix });
  }
  const result = lockSchema.safeParse(value);
  if (result.success) return result.data;
  const why = result.error.issues.slice(0, 5).map((issue) => printable(`${issue.path.join('.')}: ${issue.message}`));
  throw recipeError('RECIPE_LOCK_INVALID', { what: 'the lock file does not have the expected form', why: why.join('; '), evidence: { path }, fix });
}

/** Where two locks differ, by dotted path with the canonical JSON of both sides; empty when they are equal. */
export function lockDifferences(before: Lock, after: Lock): LeafDifference[] {
  return leafDifferences(leavesOf(before), leavesOf(after));
}
