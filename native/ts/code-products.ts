/** Exact products of integer codes, as the operators of lowered graphs compute them: one variant of choice, for checks. */
import { builtAddonPath, openAddon } from './addon.js';
import { kernelError } from './errors.js';

export type ProductIsa = 'avx512vnni' | 'avx2' | 'portable';

/**
 * How the second operand lies in memory: nibbles code + 8 `[outputs, columns/2]` with integers 1..16 of blocks, int8
 * `[outputs, columns]`, or uint8 `[columns, outputs]` taken as code - 128.
 */
export type ProductForm = 'blockwise' | 'rows' | 'columns';

export type MultiplyCodes = (
  isa: ProductIsa, form: ProductForm, x: Uint16Array, rows: number, codes: Uint8Array, blockScale: Uint8Array, block: number, outputs: number, columns: number,
) => Float64Array;

export interface CodeProduct {
  readonly form: ProductForm;
  /** uint16 `[rows, columns]`. */
  readonly x: Uint16Array;
  readonly rows: number;
  readonly codes: Uint8Array;
  /** For `blockwise`: uint8 `[outputs, columns/block]`. */
  readonly blockScale?: Uint8Array;
  /** 16, 32 or a multiple of 64. */
  readonly block?: number;
  readonly outputs: number;
  /** At most 65536. */
  readonly columns: number;
}

/**
 * Sums of products `[rows, outputs]`, and after them the sums of the weights `[outputs]`. All are integers below 2^53.
 *
 * @throws KERNEL_UNAVAILABLE without the addon; TypeError or RangeError for arrays and sizes that do not go together
 */
export function multiplyCodes(isa: ProductIsa, { form, x, rows, codes, blockScale, block, outputs, columns }: CodeProduct): Float64Array {
  const opened = openAddon(builtAddonPath());
  if ('addon' in opened) return opened.addon.multiplyCodes(isa, form, x, rows, codes, blockScale ?? new Uint8Array(), block ?? 0, outputs, columns);
  throw kernelError('KERNEL_UNAVAILABLE', { what: 'products of codes need the compiled addon', why: opened.reason, evidence: { path: builtAddonPath() }, fix: 'build it with `node native/build.mjs` (needs cmake and a C++20 compiler)' });
}

/** Variants that this machine can run, best first; none, and why, without the addon. */
export function productVariants(): { readonly variants: readonly ProductIsa[]; readonly reason?: string } {
  const opened = openAddon(builtAddonPath());
  return 'addon' in opened ? { variants: opened.addon.productVariants } : { variants: [], reason: opened.reason };
}
