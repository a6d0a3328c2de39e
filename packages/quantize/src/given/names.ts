/** Holds names of a file made elsewhere against those of the pipeline: wrappers put words in front, and separators differ. */

/** `/model/model/layers.0/mlp/up_proj` as `model model layers 0 mlp up_proj`. */
function wordsOf(name: string): readonly string[] {
  return name.split(/[/.:]+/).filter((word) => word !== '');
}

/**
 * How well `theirs` names what we call `ours`: 3 when they are equal, 2 when theirs ends with the words of ours, 1 when it
 * does so without the leading `model`, 0 for another name.
 */
export function likeness(ours: string, theirs: string): 0 | 1 | 2 | 3 {
  if (ours === theirs) return 3;
  const [own, other] = [wordsOf(ours), wordsOf(theirs)];
  if (endsWith(other, own)) return 2;
  return own[0] === 'model' && own.length > 1 && endsWith(other, own.slice(1)) ? 1 : 0;
}

function endsWith(words: readonly string[], tail: readonly string[]): boolean {
  return tail.length <= words.length && tail.every((word, i) => word === words[words.length - tail.length + i]);
}
