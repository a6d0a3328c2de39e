/** One data file for all graphs of a part: what a further graph has in common with it is referred to, the rest appended. */
import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, stat } from 'node:fs/promises';
import { type DataRange, moveRanges, rangesOf } from './compiled-data.js';
import { type ExternalEntries, editExternalEntries, readExternalEntries } from './external-entries.js';

/** Mapping starts at pages, and packed matrices are read with aligned loads. */
const ALIGNMENT = 4096;
const CHUNK = 1 << 24;

export class SharedData {
  /** Ranges of the file by their content; filled when the first graph comes that differs. */
  #known: Map<string, number> | undefined;
  #ranges: readonly DataRange[] = [];

  constructor(readonly path: string) {}

  /** Whether a graph has brought data yet. */
  async exists(): Promise<boolean> {
    return (await stat(this.path).catch(() => undefined)) !== undefined;
  }

  /**
   * Takes over what one compiled graph brought. AR and CL do not enter a weight, so as a rule the two files are equal byte
   * by byte and nothing is written; where they are not, equal ranges are still kept once.
   *
   * @param data data file of that graph, which the caller removes afterwards
   * @returns the graph, with ranges of the shared file
   */
  async add(graph: Uint8Array, data: string): Promise<Uint8Array> {
    const tensors = readExternalEntries(graph);
    if (tensors.length === 0) return graph;
    if (!(await this.exists())) {
      await rename(data, this.path);
      this.#ranges = tensors.flatMap(rangesOf);
      return graph;
    }
    return (await sameContent(this.path, data)) ? graph : this.#merge(graph, tensors, data);
  }

  async #merge(graph: Uint8Array, tensors: readonly ExternalEntries[], data: string): Promise<Uint8Array> {
    const target = await open(this.path, 'r+');
    const source = await open(data, 'r');
    try {
      this.#known ??= await contents(target, this.#ranges);
      const moved = new Map<string, number>();
      for (const range of tensors.flatMap(rangesOf)) {
        const digest = await contentKey(source, range);
        const at = this.#known.get(digest) ?? (await append(target, source, range));
        this.#known.set(digest, at);
        moved.set(rangeKey(range), at);
      }
      return editExternalEntries(graph, (entries) => moveRanges(entries, (range) => moved.get(rangeKey(range)) ?? range.offset));
    } finally {
      await Promise.all([target.close(), source.close()]);
    }
  }
}

async function contents(file: FileHandle, ranges: readonly DataRange[]): Promise<Map<string, number>> {
  const known = new Map<string, number>();
  for (const range of ranges) known.set(await contentKey(file, range), range.offset);
  return known;
}

async function contentKey(file: FileHandle, range: DataRange): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of chunks(file, range)) hash.update(chunk);
  return `${range.length} ${hash.digest('hex')}`;
}

async function append(target: FileHandle, source: FileHandle, range: DataRange): Promise<number> {
  const start = Math.ceil((await target.stat()).size / ALIGNMENT) * ALIGNMENT;
  let at = start;
  for await (const chunk of chunks(source, range)) {
    await target.write(chunk, 0, chunk.byteLength, at);
    at += chunk.byteLength;
  }
  return start;
}

async function sameContent(a: string, b: string): Promise<boolean> {
  const [left, right] = await Promise.all([open(a, 'r'), open(b, 'r')]);
  try {
    const length = (await left.stat()).size;
    if (length !== (await right.stat()).size) return false;
    const others = chunks(right, { offset: 0, length });
    for await (const chunk of chunks(left, { offset: 0, length })) {
      const other = await others.next();
      if (other.done === true || Buffer.compare(chunk, other.value) !== 0) return false;
    }
    return true;
  } finally {
    await Promise.all([left.close(), right.close()]);
  }
}

async function* chunks(file: FileHandle, range: DataRange): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < range.length; ) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK, range.length - done));
    const { bytesRead } = await file.read(chunk, 0, chunk.byteLength, range.offset + done);
    if (bytesRead === 0) return;
    yield chunk.subarray(0, bytesRead);
    done += bytesRead;
  }
}

function rangeKey(range: DataRange): string {
  return `${range.offset} ${range.length}`;
}
