/** How much the rounding of each layer alone changes what its block gives: the measure by which layers are raised to more bits. */
import { type BlockContext, forwardBlock } from '../forward/block-forward.js';
import { type BlockWeights, LINEAR_ROLES, type Linear, type LinearRole, type RopeTables } from '../forward/block-weights.js';

/** Sums over windows of |Y' - Y|² for each layer, and of |Y|²; Y is the stream that leaves the block, without and with its rounding. */
export class LayerSensitivity {
  readonly #changes = new Map<LinearRole, number>(LINEAR_ROLES.map((role) => [role, 0]));
  #size = 0;
  readonly #context: BlockContext;

  /** @param rounded the layers as the quantized model has them */
  constructor(context: BlockContext, private readonly weights: BlockWeights, private readonly rounded: Readonly<Record<LinearRole, Linear>>, private readonly rope: RopeTables) {
    // In float32 whatever the rest is multiplied in: what one layer changes may be less than rounded inputs show.
    this.#context = { ...context, products: context.kernels.algebra, byCodes: false };
  }

  /** Runs the block as it was and once for each rounded layer. @param x stream that enters [tokens, hidden] */
  add(x: Float32Array): void {
    const { weights, rounded, rope } = this;
    const context = this.#context;
    const plain = forwardBlock(context, weights, x, rope);
    this.#size += sumOfSquares(plain, (value) => value);
    for (const role of LINEAR_ROLES) {
      const changed = forwardBlock(context, { ...weights, linears: { ...weights.linears, [role]: rounded[role] } }, x, rope);
      this.#changes.set(role, (this.#changes.get(role) as number) + sumOfSquares(changed, (value, i) => value - (plain[i] as number)));
    }
  }

  /** |Y' - Y|² / |Y|² of one layer; 0 where nothing leaves the block. */
  of(role: LinearRole): number {
    return this.#size > 0 ? (this.#changes.get(role) as number) / this.#size : 0;
  }
}

function sumOfSquares(values: Float32Array, of: (value: number, index: number) => number): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += of(values[i] as number, i) ** 2;
  return sum;
}
