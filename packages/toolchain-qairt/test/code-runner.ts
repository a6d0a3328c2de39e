/** Runs the parts of a model over tokens on codes alone, AR at a time, with a cache that is carried; whatever executes them. */
import { llamaRope } from './llama-parts.js';

export type Codes = Uint8Array | Uint16Array | Int32Array;
export type RunPart = (part: number, inputs: Record<string, Codes>) => Promise<Record<string, Codes>>;

export interface CodeTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype?: string;
  readonly quantization?: { readonly scale: number; readonly zeroPoint: number };
}

export interface PartIo {
  readonly inputs: readonly CodeTensor[];
  readonly outputs: readonly CodeTensor[];
}

/** Tokens a pass, and positions of attention. */
export interface PassSize {
  readonly ar: number;
  readonly cl: number;
}

/** Every output of every pass, by `<pass> <name>`. @param sizes AR divides the number of tokens, which CL holds */
export async function runOnCodes(parts: readonly PartIo[], size: PassSize, tokens: Int32Array, run: RunPart): Promise<Map<string, Codes>> {
  const caches: Caches = new Map();
  const seen = new Map<string, Codes>();
  for (let first = 0; first < tokens.length; first += size.ar) {
    const outputs = await runPass(parts, size, { tokens: tokens.subarray(first, first + size.ar), first }, caches, run);
    for (const [name, codes] of outputs) seen.set(`${first / size.ar} ${name}`, codes);
  }
  return seen;
}

export interface Grid {
  /** The parts of each graph size, by AR; all have one CL. */
  readonly parts: ReadonlyMap<number, readonly PartIo[]>;
  readonly cl: number;
  run(ar: number, part: number, inputs: Record<string, Codes>): Promise<Record<string, Codes>>;
}

/** The most likely tokens behind a prompt, at most `count` of them and none behind `end`: the prompt by the largest graph, right padded, the rest one by one. */
export async function generateOnCodes({ parts, cl, run }: Grid, prompt: readonly number[], count: number, end: number): Promise<number[]> {
  const caches: Caches = new Map();
  const step = async (ar: number, tokens: readonly number[], first: number): Promise<number> => {
    const padded = Int32Array.from({ length: ar }, (_, i) => tokens[i] ?? 0);
    const outputs = await runPass(parts.get(ar) ?? [], { ar, cl }, { tokens: padded, first, used: tokens.length }, caches, (part, inputs) => run(ar, part, inputs));
    const logits = outputs.get('logits') as Codes;
    const row = logits.subarray(logits.length / ar * (tokens.length - 1), logits.length / ar * tokens.length);
    return row.indexOf(row.reduce((largest, code) => Math.max(largest, code)));
  };
  const largest = Math.max(...parts.keys());
  let next = 0;
  for (let first = 0; first < prompt.length; first += largest) next = await step(largest, prompt.slice(first, first + largest), first);
  const generated = [next];
  while (generated.length < count && next !== end) generated.push((next = await step(1, [next], prompt.length + generated.length - 1)));
  return generated;
}

/** Keys and values by the name of their input, [g, CL, D] of all positions so far: graphs of all sizes take theirs from it. */
type Caches = Map<string, Codes>;

/** @param block `used` of its tokens count, the others pad it */
async function runPass(parts: readonly PartIo[], { ar, cl }: PassSize, { tokens, first, used = ar }: { readonly tokens: Int32Array; readonly first: number; readonly used?: number }, caches: Caches, run: RunPart): Promise<Map<string, Codes>> {
  const state = new Map<string, Codes>([['input_ids', tokens], ['attention_mask', mask(first, ar, cl)], ...(await tables(parts, first, ar))]);
  const results = new Map<string, Codes>();
  for (const [part, { inputs, outputs }] of parts.entries()) {
    const given = Object.fromEntries(inputs.map((input) => [input.name, isCache(input) ? pastOf(caches, input, cl) : (state.get(input.name) as Codes)]));
    const made = await run(part, given);
    for (const { name, shape } of outputs) {
      const codes = made[name] as Codes;
      state.set(name, codes);
      results.set(name, codes);
      const cache = caches.get(name.replace(/_out$/, '_in'));
      if (name !== 'logits' && cache !== undefined) append(cache, codes, { isKey: name.includes('key'), first, ar, used, cl, heads: shape[0] as number });
    }
  }
  return results;
}

function isCache({ name }: CodeTensor): boolean {
  return /^past_(key|value)_\d+_in$/.test(name);
}

/** What a graph takes of a cache, which begins as zeros: keys [g, 1, D, P], values [g, 1, P, D]. */
function pastOf(caches: Caches, { name, shape, dtype, quantization }: CodeTensor, cl: number): Codes {
  const [heads = 0, , third = 0, fourth = 0] = shape;
  const isKey = name.includes('key');
  const [past, width] = isKey ? [fourth, third] : [third, fourth];
  const cache = caches.get(name) ?? new (dtype === 'uint8' ? Uint8Array : Uint16Array)(heads * cl * width).fill(quantization?.zeroPoint ?? 0);
  caches.set(name, cache);
  const codes = cache.slice(0, heads * past * width);
  for (let head = 0; head < heads; head++) {
    for (let position = 0; position < past; position++) {
      for (let d = 0; d < width; d++) codes[head * past * width + (isKey ? d * past + position : position * width + d)] = cache[(head * cl + position) * width + d] as number;
    }
  }
  return codes;
}

/** The past in front, the block last: [AR, CL]. */
function mask(first: number, ar: number, cl: number): Uint16Array {
  return Uint16Array.from({ length: ar * cl }, (_, i) => {
    const [row, column] = [Math.floor(i / cl), i % cl];
    return column < first || (column >= cl - ar && column - (cl - ar) <= row) ? 65_535 : 0;
  });
}

async function tables(parts: readonly PartIo[], first: number, ar: number): Promise<[string, Codes][]> {
  const rope = await llamaRope(first, ar);
  return (['cos', 'sin'] as const).map((table) => {
    const name = `position_ids_${table}`;
    const { scale, zeroPoint } = parts.flatMap(({ inputs }) => inputs).find((input) => input.name === name)?.quantization as { scale: number; zeroPoint: number };
    return [name, Uint16Array.from(rope[table], (value) => Math.min(65_535, Math.max(0, Math.floor(value / scale + zeroPoint))))];
  });
}

function append(cache: Codes, fresh: Codes, { isKey, first, ar, used, cl, heads }: { readonly isKey: boolean; readonly first: number; readonly ar: number; readonly used: number; readonly cl: number; readonly heads: number }): void {
  const width = fresh.length / heads / ar;
  for (let head = 0; head < heads; head++) {
    for (let token = 0; token < used; token++) {
      for (let d = 0; d < width; d++) cache[(head * cl + first + token) * width + d] = fresh[head * width * ar + (isKey ? d * ar + token : token * width + d)] as number;
    }
  }
}
