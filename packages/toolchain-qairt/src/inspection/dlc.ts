/** A deep learning container by its archive: entries, provenance, versions. Graphs in it are for the vendor's own tools. */
import { messageOf, printable } from '@tundish/diagnostics';
import { readArchive, readWhole } from '../libraries/archive.js';
import { qairtError } from '../libraries/errors.js';

export interface DlcInfo {
  readonly entries: readonly { readonly name: string; readonly bytes: number }[];
  /** What its maker says of itself: lines `key=value`, or values of JSON by their path, `dlcGenerationInfo.0.converterCommand.tool`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Entries with a graph or its weights: version of their form, and the mark of what follows. */
  readonly models: readonly { readonly entry: string; readonly major: number; readonly minor: number; readonly root: string }[];
}

/** Its form follows in the name from QAIRT 2 on. */
const METADATA_ENTRY = /^dlc\.metadata/;
const MODEL_ENTRY = /^model(\.params)?(_.*)?$/;
const MOST_METADATA_BYTES = 2 ** 20;
/** Mark and version of the container, offset of the root, mark of the root. */
const HEAD_BYTES = 16;
const MARK = 0xd50a;

/** @throws QAIRT_DLC_DAMAGED */
export async function inspectDlc(path: string): Promise<DlcInfo> {
  const entries: DlcInfo['entries'][number][] = [];
  const models: DlcInfo['models'][number][] = [];
  const metadata: Record<string, string> = {};
  try {
    await readArchive(path, async ({ name, bytes }, open) => {
      entries.push({ name, bytes });
      if (METADATA_ENTRY.test(name)) Object.assign(metadata, parseMetadata((await readWhole(await open(), MOST_METADATA_BYTES)).toString('utf8')));
      else if (MODEL_ENTRY.test(name)) models.push({ entry: name, ...modelHead(await firstBytes(await open())) });
    });
  } catch (error) {
    throw qairtError('QAIRT_DLC_DAMAGED', { what: `${printable(path)} is no whole deep learning container`, why: printable(messageOf(error)), evidence: { path }, fix: 'make it anew' });
  }
  if (models.length === 0) throw qairtError('QAIRT_DLC_DAMAGED', { what: `${printable(path)} is no deep learning container`, why: 'the archive holds no model', evidence: { path } });
  return { entries, metadata, models };
}

function parseMetadata(text: string): Record<string, string> {
  if (text.trimStart().startsWith('{')) return Object.fromEntries(leaves(JSON.parse(text), ''));
  const pairs = text.split(/\r?\n/).flatMap((line) => {
    const at = line.indexOf('=');
    return at <= 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
  });
  return Object.fromEntries(pairs);
}

function leaves(value: unknown, path: string): [string, string][] {
  if (typeof value !== 'object' || value === null) return [[path, String(value)]];
  return Object.entries(value).flatMap(([key, inside]) => leaves(inside, path === '' ? key : `${path}.${key}`));
}

async function firstBytes(stream: AsyncIterable<Buffer> & { destroy(): unknown }): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    chunks.push(chunk);
    if (chunks.reduce((sum, { length }) => sum + length, 0) >= HEAD_BYTES) break;
  }
  return Buffer.concat(chunks);
}

function modelHead(bytes: Buffer): { readonly major: number; readonly minor: number; readonly root: string } {
  if (bytes.length < HEAD_BYTES || bytes.readUInt16BE(0) !== MARK) throw new Error('a model in it does not begin with the mark of the vendor');
  return { major: bytes.readUInt16LE(2), minor: bytes.readUInt16LE(4), root: bytes.toString('latin1', 12, 16) };
}
