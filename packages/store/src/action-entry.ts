/** The result of one action as machines hand it to each other: stage.json and builder_cache_info.json in one small document. */
import { messageOf, printable } from '@tundish/diagnostics';
import { canonicalJson } from './canonical-json.js';
import { storeError } from './errors.js';
import { digest, faultsOf, fields, filledText, matching, text } from './form.js';
import { type StageManifest, decodeManifest } from './manifest.js';
import { sha256 } from './sha256.js';
import { type Sidecar, decodeSidecar } from './sidecar.js';

/** Version of the form below; another number is refused. */
export const ACTION_ENTRY_SCHEMA = 1;

/** Bytes that an encoded entry may have. */
export const ACTION_ENTRY_LIMIT = 16 * 1024 * 1024;

/** An entry, checked. */
export interface ActionEntry {
  /** 64 hexadecimal digits. */
  readonly key: string;
  readonly operation: string;
  readonly manifest: StageManifest;
  /** Bytes of stage.json, whose digest is `sidecar.manifest`. */
  readonly manifestText: string;
  readonly sidecar: Sidecar;
  /** Bytes of builder_cache_info.json. */
  readonly infoText: string;
}

const entryForm = fields(
  { schema: matching((schema) => schema === ACTION_ENTRY_SCHEMA, String(ACTION_ENTRY_SCHEMA)), key: digest, operation: filledText, manifest: text, info: text },
  {},
  'refused',
);

/** Canonical JSON, so that the same content has the same bytes. */
export function encodeActionEntry({ key, operation, manifestText, infoText }: Pick<ActionEntry, 'key' | 'operation' | 'manifestText' | 'infoText'>): Uint8Array {
  return new TextEncoder().encode(canonicalJson({ schema: ACTION_ENTRY_SCHEMA, key, operation, manifest: manifestText, info: infoText }));
}

/**
 * Checks an entry that somebody else made: it is the one that was asked for, and its two documents belong together.
 *
 * @param expected the key that was asked for, and the operation where it is known
 * @param from where the bytes come from, for messages
 * @throws STORE_ENTRY_INVALID, STORE_MANIFEST_*, STORE_SIDECAR_INVALID
 */
export function decodeActionEntry(bytes: Uint8Array, expected: { readonly key: string; readonly operation?: string }, from: string): ActionEntry {
  if (bytes.byteLength > ACTION_ENTRY_LIMIT) throw invalid(`it has ${bytes.byteLength} bytes, ${ACTION_ENTRY_LIMIT} are allowed`, from);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid(printable(messageOf(cause)), from);
  }
  const faults = faultsOf(value, entryForm);
  if (faults.length > 0) throw invalid(faults.map((fault) => printable(fault)).join('; '), from);
  const { key, operation, manifest: manifestText, info: infoText } = value as { readonly key: string; readonly operation: string; readonly manifest: string; readonly info: string };
  if (key !== expected.key || (expected.operation !== undefined && operation !== expected.operation)) throw invalid('it is the entry of another action', from);
  const sidecar = decodeSidecar(infoText, from);
  if (sidecar.hash !== key || sidecar.operation !== operation) throw invalid('its builder_cache_info.json is that of another action', from);
  if (sha256(canonicalJson(sidecar.config)) !== key) throw invalid('its key is not the digest of the fields that its builder_cache_info.json lists', from);
  if (sidecar.manifest !== sha256(manifestText)) throw invalid('its stage.json is not the one that its builder_cache_info.json names', from);
  return { key, operation, manifest: decodeManifest(new TextEncoder().encode(manifestText), from), manifestText, sidecar, infoText };
}

function invalid(why: string, path: string): Error {
  return storeError('STORE_ENTRY_INVALID', { what: 'an action entry is not what was asked for', why, evidence: { path }, fix: 'remove it from the remote cache: the next build that may write puts its own there' });
}
