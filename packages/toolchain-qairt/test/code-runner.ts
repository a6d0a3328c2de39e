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

/** Every output of every pass, by `<pass> <name>`. @param sizes AR divides the number of tokens, which CL holds */
export async function runOnCodes(parts: readonly PartIo[], { ar, cl }: { readonly ar: number; readonly cl: number }, tokens: Int32Array, run: RunPart): Promise<Map<string, Codes>> {
  const caches = new Map<string, Codes>(parts.flatMap(({ inputs }) => inputs.filter(isCache).map((input) => [input.name, emptyCache(input)] as const)));
  const seen = new Map<string, Codes>();
  for (let first = 0; first < tokens.length; first += ar) {
    const state = new Map<string, Codes>([['input_ids', tokens.slice(first, first + ar)], ['attention_mask', mask(first, ar, cl)], ...(await tables(parts, first, ar))]);
    for (const [part, { inputs, outputs }] of parts.entries()) {
      const given = Object.fromEntries(inputs.map(({ name }) => [name, caches.get(name) ?? (state.get(name) as Codes)]));
      const results = await run(part, given);
      for (const output of outputs) {
        const codes = results[output.name] as Codes;
        state.set(output.name, codes);
        seen.set(`${first / ar} ${output.name}`, codes);
        const past = output.name.replace(/_out$/, '_in');
        if (caches.has(past)) append(caches.get(past) as Codes, codes, { isKey: output.name.includes('key'), first, ar, past: cl - ar, heads: output.shape[0] as number });
      }
    }
  }
  return seen;
}

function isCache({ name }: CodeTensor): boolean {
  return /^past_(key|value)_\d+_in$/.test(name);
}

function emptyCache({ shape, dtype, quantization }: CodeTensor): Codes {
  const count = shape.reduce((product, dim) => product * dim, 1);
  return new (dtype === 'uint8' ? Uint8Array : Uint16Array)(count).fill(quantization?.zeroPoint ?? 0);
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

/** Keys are [g, 1, D, P], values [g, 1, P, D]. */
function append(cache: Codes, fresh: Codes, { isKey, first, ar, past, heads }: { readonly isKey: boolean; readonly first: number; readonly ar: number; readonly past: number; readonly heads: number }): void {
  const width = fresh.length / heads / ar;
  for (let i = 0; i < fresh.length; i++) {
    const head = Math.floor(i / (width * ar));
    const rest = i % (width * ar);
    const [token, d] = isKey ? [rest % ar, Math.floor(rest / ar)] : [Math.floor(rest / width), rest % width];
    if (first + token >= past) continue;
    cache[head * width * past + (isKey ? d * past + first + token : (first + token) * width + d)] = fresh[i] as number;
  }
}
