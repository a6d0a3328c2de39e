/** builder_cache_info.json: how a cache entry was made, for people, `why`, `plan` and `replay`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, printable } from '@tundish/diagnostics';
import type { ActionInfo, ActionMemory } from './action-cache.js';
import type { ToolIdentity } from './action-key.js';
import type { JsonValue } from './canonical-json.js';
import { diskError, errnoOf, storeError } from './errors.js';
import { INFO_FILE } from './entry-folders.js';
import { anything, digest, faultsOf, fields, filledText, finite, mappingOf, matching, nullable, text } from './form.js';
import type { StageManifest } from './manifest.js';

/** The content of builder_cache_info.json; field names as users of the vendor's builder know them. */
export interface Sidecar {
  readonly operation: string;
  readonly source: string;
  /** What was hashed: canonical JSON by dotted path. */
  readonly config: Readonly<Record<string, string>>;
  /** The key: its first 32 digits are in the folder's name. */
  readonly hash: string;
  /** ISO 8601, UTC. */
  readonly created_at: string;
  readonly tool: ToolIdentity | null;
  /** Digest of the manifest of each unit that was read, by unit name. */
  readonly inputs: Readonly<Record<string, string>>;
  /** sha256 of each output by name. */
  readonly outputs: Readonly<Record<string, string>>;
  /** sha256 of stage.json. */
  readonly manifest: string;
  /** What `replay` needs beside the inputs; absent in entries of older versions. */
  readonly request?: JsonValue;
  readonly wall_seconds: number;
  /** Absent in entries of older versions. */
  readonly cpu_seconds?: number;
  readonly memory: ActionMemory;
}

const sidecarForm = fields(
  {
    operation: filledText,
    source: text,
    config: mappingOf(text),
    hash: digest,
    created_at: text,
    tool: nullable(fields({ name: text, version: text }, { machine: text, operators: text }, 'ignored')),
    inputs: mappingOf(digest),
    outputs: mappingOf(digest),
    manifest: digest,
    wall_seconds: finite,
    memory: fields({ declared: nullable(finite), measured: finite, of: matching((value) => value === 'unit' || value === 'process', 'unit or process'), limit: nullable(finite) }, {}, 'ignored'),
  },
  { request: anything, cpu_seconds: finite },
  'ignored',
);

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
    ...(info.request === undefined ? {} : { request: info.request }),
    wall_seconds: info.wallSeconds,
    ...(info.cpuSeconds === undefined ? {} : { cpu_seconds: info.cpuSeconds }),
    memory: { ...info.memory },
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
export function decodeSidecar(content: string, path: string): Sidecar {
  const fix = 'delete the folder of this entry: the next build makes it again';
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (cause) {
    throw storeError('STORE_SIDECAR_INVALID', { what: 'a builder_cache_info.json is not JSON', why: printable(messageOf(cause)), evidence: { path }, fix, cause });
  }
  const sidecar = withMemory(value);
  const faults = faultsOf(sidecar, sidecarForm);
  if (faults.length === 0) return sidecar as Sidecar;
  const why = faults.map((fault) => printable(fault));
  throw storeError('STORE_SIDECAR_INVALID', { what: 'a builder_cache_info.json does not have the expected form', why: why.join('; '), evidence: { path }, fix });
}

/** Older versions had the peak of the process beside each other field; their entries still tell `plan` what a stage cost. */
function withMemory(value: unknown): unknown {
  const { peak_rss_bytes: measured, expected_rss_bytes: declared = null, max_memory_bytes: limit = null, ...rest } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return measured === undefined ? value : { ...rest, memory: { declared, measured, of: 'process', limit } };
}

/** The sidecar of a cache entry. @throws STORE_SIDECAR_INVALID, STORE_IO and the other disk errors */
export function readSidecar(entry: string): Sidecar {
  const path = join(entry, INFO_FILE);
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw diskError(error, 'read builder_cache_info.json', path);
    throw storeError('STORE_SIDECAR_INVALID', { what: 'a cache entry has no builder_cache_info.json', why: 'the folder is no cache entry, or a damaged one, which no build uses', evidence: { path: entry }, cause: error });
  }
  return decodeSidecar(content, path);
}
