/** Reads an encodings file of any version. Layout: docs/formats/encodings.md. */
import { readFile, stat } from 'node:fs/promises';
import { describeJson, isJsonObject, parseStrictJson } from '@tundish/checkpoint';
import { type ErrorFacts, formatBytes, messageOf, printable } from '@tundish/diagnostics';
import type { Graph } from '@tundish/graph';
import { quantizeError } from '../errors.js';
import { ENCODINGS_VERSIONS, type EncodingsDocument, type EncodingsVersion } from './document.js';
import { readEncodings061 } from './read-v0-6-1.js';
import { readEncodings100 } from './read-v1-0-0.js';
import { readEncodings200, readEncodings210 } from './read-v2.js';
import type { ReadRequest } from './reading.js';

const READERS: Readonly<Record<EncodingsVersion, (request: ReadRequest) => EncodingsDocument>> = {
  '0.6.1': readEncodings061,
  '1.0.0': readEncodings100,
  '2.0.0': readEncodings200,
  '2.1.0': readEncodings210,
};

/** The longest text that the engine holds is a little longer. */
const LARGEST_FILE = 500_000_000;

export interface ReadEncodingsOptions {
  /** Named in errors. */
  readonly path?: string;
  /** The graph that the encodings belong to: what a version leaves open is taken from it, what it says is checked against it. */
  readonly graph?: Graph;
}

/**
 * @param text a whole file
 * @throws ENCODINGS_NOT_JSON, ENCODINGS_VERSION, ENCODINGS_FIELD, ENCODINGS_SHAPE, ENCODINGS_DUPLICATE
 */
export function parseEncodings(text: string, { path, graph }: ReadEncodingsOptions = {}): EncodingsDocument {
  const parsed = parseStrictJson(text);
  if ('fault' in parsed) {
    const { kind, message, parents, offset, line, column } = parsed.fault;
    const inside = parents.length === 0 ? '' : ` in ${printable(parents.join('.'))}`;
    const code = kind === 'duplicate-key' ? 'ENCODINGS_DUPLICATE' : 'ENCODINGS_NOT_JSON';
    throw quantizeError(code, { what: `${printable(message)}${inside}`, evidence: { ...(path === undefined ? {} : { path }), offset, line, column } });
  }
  const file = parsed.value;
  const at: Pick<ErrorFacts, 'evidence'> = path === undefined ? {} : { evidence: { path } };
  if (!isJsonObject(file)) throw quantizeError('ENCODINGS_NOT_JSON', { what: `an encodings file is an object, found ${printable(describeJson(file))}`, ...at });
  const version = ENCODINGS_VERSIONS.find((known) => known === file.get('version'));
  if (version === undefined) {
    throw quantizeError('ENCODINGS_VERSION', { what: `the version is ${printable(describeJson(file.get('version')))}`, why: `${ENCODINGS_VERSIONS.join(', ')} are read`, ...at });
  }
  return READERS[version]({ file, ...(path === undefined ? {} : { path }), ...(graph === undefined ? {} : { graph }) });
}

/** @throws ENCODINGS_UNREADABLE and what `parseEncodings` throws */
export async function readEncodingsFile(path: string, options: Pick<ReadEncodingsOptions, 'graph'> = {}): Promise<EncodingsDocument> {
  const unreadable = (what: string, cause?: unknown): Error => quantizeError('ENCODINGS_UNREADABLE', { what, evidence: { path }, ...(cause === undefined ? {} : { cause }) });
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(`the encodings cannot be read: ${printable(messageOf(error))}`, error);
  });
  if (!found.isFile()) throw unreadable('this is no file');
  if (found.size > LARGEST_FILE) throw unreadable(`the file has ${formatBytes(found.size)}, at most ${formatBytes(LARGEST_FILE)} are read`);
  const bytes = await readFile(path);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw unreadable('the file is not valid UTF-8', error);
  }
  return parseEncodings(text, { path, ...options });
}
