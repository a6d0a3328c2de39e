/** Text to ids: normalizer, splitting and post-processing of @huggingface/tokenizers around our own model step. */
import { messageOf } from '@tundish/diagnostics';
import { Tokenizer as PipelineTokenizer } from '@huggingface/tokenizers';
import { BytePairEncoder } from './bpe.js';
import { invalid, isObject, unsupported } from './tokenizer-file.js';
import type { TokenizerFile } from './tokenizer-file.js';
import { rememberWords } from './word-cache.js';

/** @param addSpecialTokens whether the post-processor adds its tokens */
export type Encode = (text: string, addSpecialTokens: boolean) => number[];

/**
 * The library's model step takes seconds for a long text without a pre-tokenizer, and its Unigram knows no byte
 * fallback; both are replaced here, the rest of its pipeline is used as it is.
 *
 * @param tokens token by id, added tokens included
 * @param path of tokenizer.json, for messages
 */
export function createEncoder(file: TokenizerFile, tokens: readonly (string | undefined)[], path: string): Encode {
  const pipeline = createPipeline(file, path);
  const ids = new Map<string, number>(file.vocabulary);
  for (const { content, id } of file.addedTokens) ids.set(content, id);
  const byteIds = file.model['byte_fallback'] === true ? readByteIds(ids) : undefined;
  const unknown = unknownId(file, ids);
  const words = chooseModel(file, pipeline, tokens);
  if (pipeline.model === null) throw unsupported(path, 'no model');
  pipeline.model.encode = words;
  pipeline.model.fuse_unk = false;
  const utf8 = new TextEncoder();
  return (text, addSpecialTokens) => {
    const result: number[] = [];
    let afterUnknown = false;
    for (const token of pipeline.tokenize(text, { add_special_tokens: addSpecialTokens })) {
      const id = ids.get(token);
      if (id !== undefined) result.push(id);
      else if (byteIds !== undefined) for (const byte of utf8.encode(token)) result.push(byteIds[byte] ?? 0);
      else if (unknown === undefined) throw invalid(path, `there is no token for ${JSON.stringify(token)} and no unk_token`);
      else if (!afterUnknown || file.model['fuse_unk'] === false) result.push(unknown);
      afterUnknown = id === undefined;
    }
    return result;
  };
}

function createPipeline(file: TokenizerFile, path: string): PipelineTokenizer {
  // Its BPE would index the merges once more; it never sees a word.
  const model = file.model.type === 'BPE' ? { ...file.model, merges: [] } : file.model;
  const parts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [], ...file.json };
  try {
    return new PipelineTokenizer({ ...parts, model }, file.config);
  } catch (error) {
    throw unsupported(path, `something that @huggingface/tokenizers refuses (${messageOf(error)})`);
  }
}

type Words = (words: string[]) => string[];

function chooseModel(file: TokenizerFile, pipeline: PipelineTokenizer, tokens: readonly (string | undefined)[]): Words {
  if (file.model.type === 'BPE') {
    const encoder = new BytePairEncoder(file.vocabulary, file.merges, tokens, file.model['ignore_merges'] === true);
    const encode = rememberWords((word) => encoder.encode(word));
    return (words) => words.flatMap(encode);
  }
  const model = pipeline.model as unknown as { tokenize(word: string): string[] };
  const encode = rememberWords((word) => model.tokenize(word));
  const replacement = splittingReplacement(file);
  return (words) => words.flatMap((text) => splitBefore(text, replacement)).flatMap(encode);
}

/** The Metaspace pre-tokenizer ends a word before each replacement character, which the library leaves out. */
function splittingReplacement(file: TokenizerFile): string | undefined {
  const pre = file.json['pre_tokenizer'];
  if (!isObject(pre) || pre['type'] !== 'Metaspace' || pre['split'] === false) return undefined;
  return typeof pre['replacement'] === 'string' ? pre['replacement'] : '\u2581';
}

function splitBefore(text: string, mark: string | undefined): string[] {
  if (mark === undefined) return [text];
  const words: string[] = [];
  let start = 0;
  for (let at = text.indexOf(mark, 1); at > 0; at = text.indexOf(mark, at + mark.length)) {
    words.push(text.slice(start, at));
    start = at;
  }
  words.push(text.slice(start));
  return words;
}

function readByteIds(ids: ReadonlyMap<string, number>): readonly number[] | undefined {
  const bytes = Array.from({ length: 256 }, (_, byte) => ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`));
  return bytes.every((id) => id !== undefined) ? bytes : undefined;
}

function unknownId(file: TokenizerFile, ids: ReadonlyMap<string, number>): number | undefined {
  const { unk_token: token, unk_id: id } = file.model;
  if (typeof id === 'number') return id;
  return typeof token === 'string' ? ids.get(token) : undefined;
}
