/** A node that stands for a compiled graph: `com.microsoft.EPContext`, which names a binary or carries it. */
import type { WireCursor } from './wire-cursor.js';

/** As its attributes say; what a node leaves out has the default of the operator. */
export interface EpContextInfo {
  /** Name of the node. */
  readonly node: string;
  /** Graph of the binary. */
  readonly partition: string;
  /** Whether this node has the binary; others of the same one say false. */
  readonly isMain: boolean;
  /** The binary: a path relative to the file, or bytes in it; null where the node has none. */
  readonly binary: { readonly path: string } | { readonly offset: number; readonly bytes: number } | null;
  /** Which provider reads it: `QNN` or `QNNExecutionProvider`. */
  readonly source: string;
  /** Build of the libraries that made it. */
  readonly sdkVersion: string;
}

interface ByteRange {
  readonly offset: number;
  readonly end: number;
}

/** Attributes whose values are the binary itself must not be read as text. */
const CACHE = 'ep_cache_context';

/** Reads the node that ends at `last`; the cursor stands at its start. Field numbers: onnx/onnx.proto of ONNX 1.19. @throws ONNX_MALFORMED */
export function readEpContext(cursor: WireCursor, last: number): EpContextInfo {
  let node = '';
  const numbers = new Map<string, number>();
  const ranges = new Map<string, ByteRange>();
  cursor.fields(last, (field, _, end) => {
    if (end === undefined) return;
    if (field === 3) node = cursor.text(end);
    else if (field === 5) readAttribute(cursor, end, numbers, ranges);
  });
  const text = (name: string): string => textIn(cursor, ranges.get(name));
  const cache = ranges.get(CACHE);
  const embedded = numbers.get('embed_mode') !== 0;
  const info = {
    node,
    partition: text('partition_name'),
    isMain: numbers.get('main_context') !== 0,
    binary: cache === undefined ? null : embedded ? { offset: cache.offset, bytes: cache.end - cache.offset } : { path: text(CACHE) },
    source: text('source'),
    sdkVersion: text('ep_sdk_version'),
  };
  cursor.at = last;
  return info;
}

function readAttribute(cursor: WireCursor, last: number, numbers: Map<string, number>, ranges: Map<string, ByteRange>): void {
  let name = '';
  let number: number | undefined;
  let range: ByteRange | undefined;
  cursor.fields(last, (field, value, end) => {
    if (field === 1 && end !== undefined) name = cursor.text(end);
    else if (field === 3 && end === undefined) number = value;
    else if (field === 4 && end !== undefined) range = { offset: cursor.at, end };
  });
  if (number !== undefined) numbers.set(name, number);
  if (range !== undefined) ranges.set(name, range);
}

function textIn(cursor: WireCursor, range: ByteRange | undefined): string {
  if (range === undefined) return '';
  cursor.at = range.offset;
  return cursor.text(range.end);
}
