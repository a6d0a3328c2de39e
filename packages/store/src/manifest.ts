/** The manifest of a stage (`stage.json`): which files it made, by digest. Small and deterministic, so equal work gives equal bytes. */
import { readFileSync } from 'node:fs';
import { messageOf, printable } from '@tundish/diagnostics';
import { canonicalJson } from './canonical-json.js';
import type { JsonValue } from './canonical-json.js';
import { INFO_FILE, MANIFEST_FILE } from './entry-folders.js';
import { diskError, errnoOf, storeError } from './errors.js';
import { type Form, anything, byteCount, digest, faultsOf, fields, filledText, listOf, mappingOf, matching, nullable } from './form.js';
import { sha256 } from './sha256.js';

/** Version of the form below; a manifest with another number is refused. */
export const MANIFEST_SCHEMA = 1;

/** Some bytes by content: a sha256 in lower-case hexadecimal and a length. */
export interface BlobRef {
  readonly sha256: string;
  readonly size: number;
}

/** A file that a stage made; `name` is a relative path with forward slashes, unique inside the manifest. */
export interface StageOutput extends BlobRef {
  readonly name: string;
  readonly mediaType: string;
}

/** A file that graphs of the stage refer to by `location`, but that the stage did not make. */
export interface StageExternal extends BlobRef {
  readonly location: string;
}

/** The content of stage.json. It holds no clock, no absolute path and no action key. */
export interface StageManifest {
  readonly schema: typeof MANIFEST_SCHEMA;
  readonly stage: string;
  /** The cell, part or pair that the stage worked on; null for a stage of the whole model. */
  readonly subject: string | null;
  readonly outputs: readonly StageOutput[];
  readonly externals: readonly StageExternal[];
  /** Small results that later stages or summaries read. */
  readonly facts: { readonly [name: string]: JsonValue };
}

/** Names of the entry's own files, which an output must not shadow. */
const RESERVED_NAMES: readonly string[] = [MANIFEST_FILE, INFO_FILE];

// eslint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f\\]/;
const MAX_NAME = 512;

const relativeName = matching(
  (name) => typeof name === 'string' && name.length <= MAX_NAME && !UNPRINTABLE.test(name) && name.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
  'a relative path with forward slashes',
);
const outputName: Form = (name, path, report) => {
  relativeName(name, path, report);
  if (RESERVED_NAMES.includes(name as string)) report(`${path}: is a reserved name`);
};

const manifestForm = fields(
  {
    schema: matching((schema) => schema === MANIFEST_SCHEMA, String(MANIFEST_SCHEMA)),
    stage: filledText,
    subject: nullable(filledText),
    outputs: namedApart('name', fields({ name: outputName, sha256: digest, size: byteCount, mediaType: filledText }, {}, 'refused')),
    externals: namedApart('location', fields({ location: relativeName, sha256: digest, size: byteCount }, {}, 'refused')),
    facts: mappingOf(anything),
  },
  { digest },
  'refused',
);

/** A list of mappings in which no two have the same name. */
function namedApart(key: string, item: Form): Form {
  const list = listOf(item);
  return (value, path, report) => {
    list(value, path, report);
    if (!Array.isArray(value)) return;
    const seen = new Set<unknown>();
    value.forEach((one: Readonly<Record<string, unknown>> | null, i) => {
      const name = one?.[key];
      if (seen.has(name)) report(`${path}.${i}: repeats the name ${printable(String(name))}`);
      seen.add(name);
    });
  };
}

/**
 * Reads and checks a stage manifest.
 *
 * @throws STORE_MANIFEST_READ, STORE_MANIFEST_SCHEMA, STORE_MANIFEST_INVALID, STORE_MANIFEST_CHANGED
 */
export function readManifest(path: string): StageManifest {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw diskError(error, 'read a stage manifest', path);
    throw storeError('STORE_MANIFEST_READ', { what: 'a stage manifest is missing', why: 'the stage has not run here, or its output was deleted', evidence: { path }, fix: 'run the stage that writes it', cause: error });
  }
  return decodeManifest(bytes, path);
}

/**
 * Checks the bytes of a stage manifest.
 *
 * @param path where the bytes come from, for messages
 * @throws STORE_MANIFEST_READ, STORE_MANIFEST_SCHEMA, STORE_MANIFEST_INVALID, STORE_MANIFEST_CHANGED
 */
export function decodeManifest(bytes: Uint8Array, path: string): StageManifest {
  const fix = 'delete the file and run its stage again';
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw storeError('STORE_MANIFEST_READ', { what: 'a stage manifest is not JSON', why: printable(messageOf(cause)), evidence: { path }, fix, cause });
  }
  const schema = (value as { readonly schema?: unknown } | null)?.schema;
  if (typeof schema === 'number' && schema !== MANIFEST_SCHEMA) {
    throw storeError('STORE_MANIFEST_SCHEMA', { what: `a stage manifest has schema ${schema}, this version reads ${MANIFEST_SCHEMA}`, evidence: { path }, fix });
  }
  const { manifest, written } = checkManifest(value, { path }, fix);
  if (written === undefined) return manifest;
  if (written !== digestOf(manifest)) {
    throw storeError('STORE_MANIFEST_CHANGED', { what: 'a stage manifest was changed after it was written', why: 'its digest is not that of the rest of the file', evidence: { path }, fix });
  }
  contentDigests.set(manifest, written);
  return manifest;
}

/**
 * The bytes of stage.json: canonical JSON with two spaces, outputs sorted by name and externals by location, a final newline. The
 * field `digest` is the sha256 of the rest, so that a flipped bit loses the manifest instead of naming other files.
 *
 * @throws STORE_MANIFEST_INVALID when `readManifest` would refuse the result; STORE_JSON_VALUE for facts that are not plain JSON data
 */
export function encodeManifest(manifest: StageManifest): Uint8Array {
  const known = contentDigests.get(manifest);
  const checked = known === undefined ? checkManifest(manifest, {}, 'correct the stage that made it').manifest : manifest;
  return new TextEncoder().encode(`${canonicalJson({ ...sorted(checked), digest: known ?? digestOf(checked) }, 2)}\n`);
}

function sorted(manifest: StageManifest): StageManifest {
  return {
    ...manifest,
    outputs: [...manifest.outputs].sort((a, b) => (a.name < b.name ? -1 : 1)),
    externals: [...manifest.externals].sort((a, b) => (a.location < b.location ? -1 : 1)),
  };
}

/** The field `digest` of manifests that have been read, and so checked: they are often written again as they are. */
const contentDigests = new WeakMap<StageManifest, string>();

function digestOf(manifest: StageManifest): string {
  return sha256(canonicalJson(sorted(manifest)));
}

/** Manifests do not change, and that of one unit enters the keys of many. */
const fileDigests = new WeakMap<StageManifest, string>();

/** sha256 of `encodeManifest`: equal for equal results, whatever order they were listed in. */
export function manifestDigest(manifest: StageManifest): string {
  const known = fileDigests.get(manifest) ?? sha256(encodeManifest(manifest));
  fileDigests.set(manifest, known);
  return known;
}

function checkManifest(value: unknown, evidence: { readonly path?: string }, fix: string): { readonly manifest: StageManifest; readonly written: string | undefined } {
  const faults = faultsOf(value, manifestForm);
  if (faults.length === 0) {
    const { digest: written, ...manifest } = value as StageManifest & { readonly digest?: string };
    return { manifest, written };
  }
  const why = faults.map((fault) => printable(fault));
  throw storeError('STORE_MANIFEST_INVALID', { what: 'a stage manifest does not have the expected form', why: why.join('; '), evidence, fix });
}
