/** Puts a rotation into the constant expressions of a linear layer. */
import { type Projection, type Value, addRotation, matchProjection } from '@tundish/graph';

/** The linear layer whose result, behind its bias, is `value`; undefined also where something else reads its weight expression. */
export function projectionInto(value: Value): Projection | undefined {
  const { producer } = value;
  const matmul = producer?.opType === 'Add' ? producer.inputs.map((input) => input?.producer).find((node) => node?.opType === 'MatMul') : producer;
  const found = matmul === undefined ? undefined : matchProjection(matmul);
  return found?.output === value && isAlone(found) ? found : undefined;
}

/** True when a change of the weight expression changes this layer only. */
export function isAlone({ transpose }: Projection): boolean {
  return transpose.output().uses.length === 1;
}

/** W becomes W R in groups of `size` input channels: the layer takes rotated input. */
export function rotateInputs({ transpose }: Projection, size: number): void {
  transpose.replaceInput(0, addRotation(transpose.graph, transpose.input(0), { axis: 1, size }, `${transpose.name}/rotation`));
}

/** W becomes Rᵀ W and b becomes Rᵀ b in groups of `size` output channels: the layer gives rotated output. */
export function rotateOutputs({ transpose, bias }: Projection, size: number): void {
  transpose.replaceInput(0, addRotation(transpose.graph, transpose.input(0), { axis: 0, size }, `${transpose.name}/rotation`));
  if (bias === undefined) return;
  const { add, parameter } = bias;
  add.replaceInput(add.input(0) === parameter ? 0 : 1, addRotation(add.graph, parameter, { axis: 0, size }, `${add.name}/rotation`));
}
