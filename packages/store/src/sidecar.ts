/** builder_cache_info.json: how a cache entry was made, for people, `why`, `plan` and `replay`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, printable } from '@tundish/diagnostics';
import { z } from 'zod';
import type { ActionInfo } from './action-cache.js';
import { diskError, errnoOf, storeError } from './errors.js';
import { INFO_FILE } from './entry-folders.js';
import type { StageManifest } from './manifest.js';
import { isSha256 } from './sha256.js';

const digest = z.string().refine(isSha256, 'must be 64 lower-case hexadecimal digits');

const sidecarSchema = z.object({
  operation: z.string().min(1),
  source: z.string(),
  /** What was hashed: canonical JSON by dotted path. */
  config: z.record(z.string(), z.string()),
  /** The key: its first 32 digits are in the folder's name. */
  hash: digest,
  /** ISO 8601, UTC. */
  created_at: z.string(),
  tool: z.object({ name: z.string(), version: z.string(), machine: z.string().optional() }).nullable(),
  /** Digest of the manifest of each unit that was read, by unit name. */
  inputs: z.record(z.string(), digest),
  /** sha256 of each output by name. */
  outputs: z.record(z.string(), digest),
  /** sha256 of stage.json. */
  manifest: digest,
  /** What `replay` needs beside the inputs; absent in entries of older versions. */
  request: z.json().optional(),
  wall_seconds: z.number(),
  /** Absent in entries of older versions. */
  cpu_seconds: z.number().optional(),
  peak_rss_bytes: z.number(),
  /** What the peak was expected to be; absent for pieces of a stage and in entries of older versions. */
  expected_rss_bytes: z.number().optional(),
  /** The limit of the build that made the entry; absent without one. */
  max_memory_bytes: z.number().optional(),
});

/** The content of builder_cache_info.json; field names as users of the vendor's builder know them. */
export type Sidecar = Readonly<z.infer<typeof sidecarSchema>>;

/** @param manifestSha256 digest of the bytes of the entry's stage.json */
export function sidecarOf(operation: string, key: string, manifestSha256: string, manifest: StageManifest, info: ActionInfo): Sidecar {
  return {
    operation,
    source: info.source,
    config: { ...info.config },
    hash: key,
    created_at: info.createdAt,
    tool: info.tool ?? null,
    inputs: { ...info.inputs },
    outputs: Object.fromEntries(manifest.outputs.map((output) => [output.name, output.sha256])),
    manifest: manifestSha256,
    ...(info.request === undefined ? {} : { request: info.request as NonNullable<Sidecar['request']> }),
    wall_seconds: info.wallSeconds,
    ...(info.cpuSeconds === undefined ? {} : { cpu_seconds: info.cpuSeconds }),
    peak_rss_bytes: info.peakRssBytes,
    ...(info.expectedRssBytes === undefined ? {} : { expected_rss_bytes: info.expectedRssBytes }),
    ...(info.maxMemoryBytes === undefined ? {} : { max_memory_bytes: info.maxMemoryBytes }),
  };
}

/**
 * JSON with two spaces and a final newline, keys in their own order: it holds a clock, so that no two are the same anyway, and
 * what is replayed must get its inputs and options in the order that they had.
 */
export function encodeSidecar(sidecar: Sidecar): string {
  return `${JSON.stringify(sidecar, null, 2)}\n`;
}

/**
 * Checks the text of a sidecar.
 *
 * @param path where it comes from, for messages
 * @throws STORE_SIDECAR_INVALID
 */
export function decodeSidecar(text: string, path: string): Sidecar {
  const fix = 'delete the folder of this entry: the next build makes it again';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw storeError('STORE_SIDECAR_INVALID', { what: 'a builder_cache_info.json is not JSON', why: printable(messageOf(cause)), evidence: { path }, fix, cause });
  }
  const result = sidecarSchema.safeParse(value);
  if (result.success) return result.data;
  const why = result.error.issues.slice(0, 5).map((issue) => printable(`${issue.path.join('.')}: ${issue.message}`));
  throw storeError('STORE_SIDECAR_INVALID', { what: 'a builder_cache_info.json does not have the expected form', why: why.join('; '), evidence: { path }, fix });
}

/** The sidecar of a cache entry. @throws STORE_SIDECAR_INVALID, STORE_IO and the other disk errors */
export function readSidecar(entry: string): Sidecar {
  const path = join(entry, INFO_FILE);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw diskError(error, 'read builder_cache_info.json', path);
    throw storeError('STORE_SIDECAR_INVALID', { what: 'a cache entry has no builder_cache_info.json', why: 'the folder is no cache entry, or a damaged one, which no build uses', evidence: { path: entry }, cause: error });
  }
  return decodeSidecar(text, path);
}
