/** Made-up wheels: deflated archives with names of our choice. Layout: PKWARE's APPNOTE, sections 4.3.7, 4.3.12 and 4.3.16. */
import { writeFileSync } from 'node:fs';
import { crc32, deflateRawSync } from 'node:zlib';

const LOCAL_HEADER = 0x04034b50;
const CENTRAL_HEADER = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20;
const DEFLATED = 8;

/** @param entries content by name inside the archive */
export function writeWheel(path: string, entries: Readonly<Record<string, Uint8Array | string>>): void {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(entries)) {
    const bytes = Buffer.from(content);
    const packed = deflateRawSync(bytes);
    const common = fields([2, VERSION], [2, 0], [2, DEFLATED], [4, 0], [4, crc32(bytes)], [4, packed.length], [4, bytes.length], [2, Buffer.byteLength(name)], [2, 0]);
    const file = Buffer.concat([fields([4, LOCAL_HEADER]), common, Buffer.from(name), packed]);
    files.push(file);
    directory.push(fields([4, CENTRAL_HEADER], [2, VERSION]), common, fields([2, 0], [2, 0], [2, 0], [4, 0], [4, offset]), Buffer.from(name));
    offset += file.length;
  }
  const central = Buffer.concat(directory);
  const count = Object.keys(entries).length;
  writeFileSync(path, Buffer.concat([...files, central, fields([4, END], [2, 0], [2, 0], [2, count], [2, count], [4, central.length], [4, offset], [2, 0])]));
}

/** Little-endian numbers. */
function fields(...values: readonly (readonly [bytes: number, value: number])[]): Buffer {
  const buffer = Buffer.alloc(values.reduce((sum, [bytes]) => sum + bytes, 0));
  let at = 0;
  for (const [bytes, value] of values) at = buffer.writeUIntLE(value, at, bytes);
  return buffer;
}

export function metadata(version: string, name = 'onnxruntime-qnn'): string {
  return `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n\nName: something in the text\n`;
}
