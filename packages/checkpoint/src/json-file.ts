/** Reads a JSON file of a checkpoint as an object, strictly. */
import { basename } from 'node:path';
import { printable } from '@tundish/diagnostics';
import { fault } from './errors.js';
import { readUtf8 } from './read-file.js';
import { describeJson, isJsonObject, parseStrictJson } from './strict-json.js';
import type { JsonObject } from './strict-json.js';

/**
 * Python's NaN and Infinity are refused like any other text that is not JSON.
 *
 * @throws TundishError `code` with line and column, CHECKPOINT_FILE_NOT_FOUND, CHECKPOINT_FILE_UNREADABLE
 */
export async function readJsonObject(path: string, code: 'CONFIG_NOT_JSON' | 'CHECKPOINT_INDEX_INVALID'): Promise<JsonObject> {
  const parsed = parseStrictJson(await readUtf8(path));
  const name = basename(path);
  if ('fault' in parsed) {
    const { message, line, column, offset } = parsed.fault;
    throw fault(code, {
      what: `${name} is not valid JSON: ${printable(message)} at line ${line}, column ${column}`,
      evidence: { path, line, column, offset },
      fix: 'Correct the file, or download it again if it was cut short.',
    });
  }
  if (isJsonObject(parsed.value)) return parsed.value;
  throw fault(code, { what: `${name} must be an object, found ${describeJson(parsed.value)}`, evidence: { path, line: 1, column: 1 }, fix: 'Download the file again.' });
}
