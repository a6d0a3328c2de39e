/** Names of the decoder's projections, and the patterns by which a recipe picks some of them. */

const PROJECTIONS: readonly string[] = [...['q', 'k', 'v', 'o'].map((name) => `self_attn.${name}_proj`), ...['gate', 'up', 'down'].map((name) => `mlp.${name}_proj`)];

/** `model.layers.0.self_attn.q_proj`, …, block after block, as checkpoints of Hugging Face name them. */
export function projectionNames(layers: number): string[] {
  return Array.from({ length: layers }, (_, layer) => PROJECTIONS.map((name) => `model.layers.${layer}.${name}`)).flat();
}

/**
 * The names that `pattern` matches as a whole: `*` stands for any characters but dots, `[2-11]` for each number from 2 to 11.
 * What the checkpoint writes behind the name of a projection, `.weight`, may be there too.
 */
export function matchingNames(pattern: string, names: readonly string[]): string[] {
  const pieces = pattern.replace(/\.weight$/, '').replace(/\*+/g, '*').split(/(\*|\[\d+-\d+\])/);
  const ranges = pieces.flatMap((piece) => {
    const [, from, to] = /^\[(\d+)-(\d+)\]$/.exec(piece) ?? [];
    return from === undefined ? [] : [{ from: Number(from), to: Number(to) }];
  });
  const form = new RegExp(`^${pieces.map((piece) => (piece === '*' ? '[^.]*' : /^\[\d+-\d+\]$/.test(piece) ? '(\\d+)' : piece.replace(/[^\w]/g, '\\$&'))).join('')}$`);
  return names.filter((name) => {
    const numbers = form.exec(name)?.slice(1).map(Number);
    return numbers?.every((number, i) => number >= (ranges[i]?.from ?? 0) && number <= (ranges[i]?.to ?? 0)) === true;
  });
}
