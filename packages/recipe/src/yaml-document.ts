/** YAML 1.2 core, read strictly: one document, text keys, exact numbers, bounded aliases; every error has a line and a column. */
import { printable } from '@tundish/diagnostics';
import { Composer, isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Alias, Document, Node, ParsedNode, Scalar, YAMLMap } from 'yaml';
import { type KeyPath, type Position, keyId, nearestPosition } from './key-position.js';
import { MAX_DEPTH, decodeSource, tokenize } from './yaml-source.js';
import type { YamlSource } from './yaml-source.js';

export interface YamlDocument {
  /** Plain data; mappings have no prototype, so that no key of a file means anything to JavaScript. Undefined when the file is empty. */
  readonly value: unknown;
  /** Where a key or list item stands; the nearest parent that is there when it is not. */
  locate(path: KeyPath): Position;
  /** Where each of them stands, by `keyId`. */
  positions(): [id: string, position: Position][];
}

/** Nodes of the document with its aliases expanded: what a bomb would blow up. */
const MAX_NODES = 2000;

/**
 * @param path where the bytes come from, for messages
 * @throws RECIPE_* for everything that is not one plain document
 */
export function parseYaml(bytes: Uint8Array, path: string): YamlDocument {
  const source = decodeSource(bytes, path);
  const tokens = tokenize(source);
  const composer = new Composer({ version: '1.2', schema: 'core', intAsBigInt: true, uniqueKeys: false, merge: false, prettyErrors: false });
  const [document, second] = [...composer.compose(tokens, true, source.text.length)];
  const fault = document?.errors[0];
  if (fault !== undefined) throw syntaxError(source, fault.pos[0], fault.message);
  if (second !== undefined) throw source.error('RECIPE_DOCUMENTS', second.contents?.range[0] ?? second.range[0], 'the recipe file holds two YAML documents', 'a file is one recipe', 'remove the line --- and what follows it, or use two files');
  const reader = new NodeReader(source, document);
  const contents = document?.contents ?? undefined;
  const value = contents === undefined || isMissing(contents) ? undefined : reader.read(contents, [], 0);
  return { value, locate: (key) => reader.locate(key), positions: () => reader.positions() };
}

/** `key:` with nothing after it, or a document of comments only. */
function isMissing(node: Node): boolean {
  return isScalar(node) && node.value === null && (node.source ?? '') === '';
}

function syntaxError(source: YamlSource, offset: number, message: string): Error {
  return source.error('RECIPE_YAML', offset, 'the recipe is not valid YAML', printable(message), message.startsWith('Tabs') ? 'indent with spaces' : 'correct that place');
}

class NodeReader {
  readonly #source: YamlSource;
  readonly #document: Document.Parsed | undefined;
  readonly #offsets = new Map<string, number>();
  readonly #open = new Set<Node>();
  #nodes = 0;

  constructor(source: YamlSource, document: Document.Parsed | undefined) {
    this.#source = source;
    this.#document = document;
  }

  locate(path: KeyPath): Position {
    return nearestPosition(path, (id) => {
      const offset = this.#offsets.get(id);
      return offset === undefined ? undefined : this.#source.at(offset);
    });
  }

  positions(): [id: string, position: Position][] {
    return [...this.#offsets].map(([id, offset]) => [id, this.#source.at(offset)]);
  }

  read(node: Node, path: KeyPath, depth: number): unknown {
    this.#checkBudget(node, depth);
    if (isAlias(node)) return this.#readAlias(node, path, depth);
    if (isScalar(node)) return this.#readScalar(node);
    this.#open.add(node);
    const value = isSeq(node) ? node.items.map((item, i) => this.#readItem(item as Node, [...path, i], depth)) : isMap(node) ? this.#readMap(node, path, depth) : null;
    this.#open.delete(node);
    return value;
  }

  #readItem(item: Node, path: KeyPath, depth: number): unknown {
    this.#offsets.set(keyId(path), offsetOf(item));
    return this.read(item, path, depth + 1);
  }

  #readMap(map: YAMLMap<unknown, unknown>, path: KeyPath, depth: number): object {
    const value: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    const seen = new Map<string, number>();
    for (const pair of map.items) {
      const key = this.#readKey(pair.key as ParsedNode);
      const offset = offsetOf(pair.key as Node);
      const first = seen.get(key);
      if (first !== undefined) {
        throw this.#source.error('RECIPE_DUPLICATE_KEY', offset, `the key ${printable(key, 60)} is given twice, in line ${this.#source.at(first).line} and in line ${this.#source.at(offset).line}`, 'only one of them could count', 'remove one of them');
      }
      seen.set(key, offset);
      this.#offsets.set(keyId([...path, key]), offset);
      value[key] = pair.value === null || pair.value === undefined ? null : this.read(pair.value as Node, [...path, key], depth + 1);
    }
    return value;
  }

  #readKey(key: Node): string {
    if (isScalar(key) && key.value === '<<') {
      throw this.#source.error('RECIPE_MERGE_KEY', offsetOf(key), 'the recipe uses the merge key <<', 'YAML 1.1 merges it and YAML 1.2 takes it as a name: a recipe must mean one thing', 'write the keys out');
    }
    if (isScalar(key) && typeof key.value === 'string') return key.value;
    const shown = isScalar(key) ? printable(String(key.source ?? key.value), 60) : 'a list, mapping or alias';
    throw this.#source.error('RECIPE_KEY', offsetOf(key), `the key ${shown} is not text`, 'options are named by text', 'put the key in quotes, or remove it');
  }

  #readAlias(alias: Alias, path: KeyPath, depth: number): unknown {
    const target = this.#document === undefined ? undefined : alias.resolve(this.#document);
    const name = printable(alias.source, 60);
    if (target === undefined) throw this.#source.error('RECIPE_ALIAS', offsetOf(alias), `the alias *${name} has no anchor before it`, `nothing is marked &${name}`, 'write the value out');
    if (this.#open.has(target)) throw this.#source.error('RECIPE_ALIAS', offsetOf(alias), `the alias *${name} stands inside its own anchor`, 'the value would contain itself', 'write the value out');
    return this.read(target, path, depth);
  }

  #readScalar(scalar: Scalar): unknown {
    const { value } = scalar;
    const shown = printable(scalar.source ?? String(value), 60);
    if (typeof value === 'bigint') {
      const number = Number(value);
      if (Number.isSafeInteger(number)) return number;
      throw this.#source.error('RECIPE_NUMBER', offsetOf(scalar), `the integer ${shown} is beyond 2^53`, 'it cannot be represented exactly and would be rounded', 'use a smaller number, or quotes if text is meant');
    }
    if (typeof value === 'number' && !Number.isFinite(value)) {
      throw this.#source.error('RECIPE_NUMBER', offsetOf(scalar), `the number ${shown} is not finite`, 'no option takes NaN or infinity', 'write a finite number');
    }
    return value;
  }

  #checkBudget(node: Node, depth: number): void {
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) throw this.#source.error('RECIPE_TOO_LARGE', offsetOf(node), `the recipe has more than ${MAX_NODES} values when its aliases are expanded`, 'aliases inside aliases multiply', 'write the values out');
    if (depth > MAX_DEPTH) throw this.#source.error('RECIPE_TOO_DEEP', offsetOf(node), `the recipe is nested deeper than ${MAX_DEPTH} levels`, 'no option is nested that deeply', 'remove the nesting');
  }
}

function offsetOf(node: Node): number {
  return node.range?.[0] ?? 0;
}
