/** The text of a YAML file with its positions, and the refusal of what must not even reach the composer. */
import { printable } from '@tundish/diagnostics';
import type { TundishError } from '@tundish/diagnostics';
import { CST, Lexer, Parser } from 'yaml';
import { recipeError } from './errors.js';
import type { Position } from './key-position.js';

/** A recipe is under 2 KiB; this bounds the time that hostile text can take. */
export const MAX_BYTES = 64 * 1024;
/** Levels of nesting; the schema needs five. */
export const MAX_DEPTH = 64;

export interface YamlSource {
  readonly path: string;
  readonly text: string;
  at(offset: number): Position;
  /** An error at an offset of the text. */
  error(code: Parameters<typeof recipeError>[0], offset: number, what: string, why: string, fix: string): TundishError;
}

/**
 * Decodes strictly; a byte order mark is dropped.
 *
 * @throws RECIPE_TOO_LARGE, RECIPE_NOT_UTF8
 */
export function decodeSource(bytes: Uint8Array, path: string): YamlSource {
  if (bytes.length > MAX_BYTES) {
    throw recipeError('RECIPE_TOO_LARGE', { what: `the recipe has ${bytes.length} bytes, ${MAX_BYTES} are allowed`, why: 'no recipe needs that much', evidence: { path, line: 1, column: 1 }, fix: 'is this the right file?' });
  }
  if (!isUtf8(bytes)) {
    const valid = validPrefix(bytes);
    const before = sourceOf(new TextDecoder().decode(bytes.subarray(0, valid)), path);
    throw recipeError('RECIPE_NOT_UTF8', { what: 'the recipe is not valid UTF-8', why: `byte 0x${bytes[valid]?.toString(16) ?? ''} begins no character`, evidence: { path, offset: valid, ...before.at(before.text.length) }, fix: 'save the file as UTF-8' });
  }
  return sourceOf(new TextDecoder().decode(bytes), path);
}

/** Offset of the first byte that is not part of a whole character. */
function validPrefix(bytes: Uint8Array): number {
  let [low, high] = [0, bytes.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (isUtf8(bytes.subarray(0, middle), true)) low = middle;
    else high = middle - 1;
  }
  // A prefix may end inside a character: step back to the last whole one.
  while (low > 0 && !isUtf8(bytes.subarray(0, low))) low--;
  return low;
}

function isUtf8(bytes: Uint8Array, mayEndInside: boolean = false): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: mayEndInside });
    return true;
  } catch {
    return false;
  }
}

function sourceOf(text: string, path: string): YamlSource {
  const at = (offset: number): Position => {
    const before = text.slice(0, offset);
    return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
  };
  return { path, text, at, error: (code, offset, what, why, fix) => recipeError(code, { what, why, evidence: { path, ...at(offset) }, fix }) };
}

/** The lexer's mark before the text of a scalar, which may begin with any character. */
const TEXT_FOLLOWS = CST.SCALAR;

/**
 * Tokens of the text. Runs before anything recursive does.
 *
 * @throws RECIPE_TOO_DEEP, RECIPE_TAG, RECIPE_DIRECTIVE
 */
export function tokenize(source: YamlSource): CST.Token[] {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  let isText = false;
  for (const lexeme of new Lexer().lex(source.text)) {
    const offset = parser.offset;
    if (lexeme.startsWith('!') && !isText) {
      throw source.error('RECIPE_TAG', offset, `the recipe uses the YAML tag ${printable(lexeme, 60)}`, 'options are plain text, numbers, lists and mappings; a tag is never evaluated', 'remove the tag');
    }
    if (lexeme.startsWith('%') && !isText) {
      throw source.error('RECIPE_DIRECTIVE', offset, `the recipe uses the YAML directive ${printable(lexeme, 60)}`, 'recipes are always YAML 1.2', 'remove the line');
    }
    isText = lexeme === TEXT_FOLLOWS;
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length > MAX_DEPTH) {
      throw source.error('RECIPE_TOO_DEEP', offset, `the recipe is nested deeper than ${MAX_DEPTH} levels`, 'no option is nested that deeply', 'remove the nesting');
    }
  }
  tokens.push(...parser.end());
  return tokens;
}
