/** What one kind of tokenizer contributes to tokenizer.json. */

/** Values of the fields of tokenizer.json that depend on the kind. */
export interface TokenizerModel {
  readonly normalizer: object | null;
  readonly preTokenizer: object | null;
  readonly decoder: object;
  readonly model: object;
  /** Whether bos and eos are added where the file does not say. */
  readonly addsBos: boolean;
  readonly addsEos: boolean;
}
