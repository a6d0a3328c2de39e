/** Block scales between the storage order of a weight, in which versions 2 nest them, and [out][blocks], the order inside. */
import type { JsonValue } from '@tundish/checkpoint';
import type { Graph } from '@tundish/graph';
import type { BlockLayout } from './document.js';
import { type Place, listOf, shapeError } from './fields.js';
import type { Numbers } from './list-text.js';
import { weightAxes } from './weight-axes.js';

/** More axes than any weight has. */
const MAX_RANK = 8;

/** `axis` counted from the front. */
export function axisFromFront(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** A nested list as its shape and its values in row-major order. @throws ENCODINGS_SHAPE for a ragged or empty one */
export function flatten(place: Place, field: string, nested: JsonValue | undefined): { readonly shape: readonly number[]; readonly values: readonly JsonValue[] } {
  const shape: number[] = [];
  let values = [...listOf(place, field, nested)];
  for (;;) {
    const before = shape.reduce((count, size) => count * size, 1);
    shape.push(values.length / before);
    if (values.length === 0) throw shapeError(place, field, 'is empty');
    if (!Array.isArray(values[0])) return { shape, values };
    const width = (values[0] as readonly JsonValue[]).length;
    if (shape.length >= MAX_RANK) throw shapeError(place, field, `is nested more than ${MAX_RANK} deep`);
    if (!values.every((row) => Array.isArray(row) && row.length === width)) throw shapeError(place, field, 'has rows of different lengths');
    values = (values as unknown as readonly (readonly JsonValue[])[]).flat();
  }
}

/**
 * The layout of block scales of this shape.
 *
 * @param channelAxis where the file says it; otherwise the one axis beside the block axis that is not 1 wide, the first when all are
 * @throws ENCODINGS_SHAPE
 */
export function layoutOf(place: Place, field: string, shape: readonly number[], blockAxis: number, channelAxis?: number): BlockLayout {
  const rank = shape.length;
  const block = axisFromFront(blockAxis, rank);
  if (rank < 2) throw shapeError(place, field, 'must have an axis of channels and an axis of blocks');
  if (block < 0 || block >= rank) throw shapeError(place, 'axis', `is ${blockAxis}, the scales have ${rank} axes`);
  const wide = shape.flatMap((size, axis) => (size !== 1 && axis !== block ? [axis] : []));
  const inferred = wide[0] ?? (block === 0 ? 1 : 0);
  const channel = channelAxis === undefined ? inferred : axisFromFront(channelAxis, rank);
  if (channel < 0 || channel >= rank || channel === block) throw shapeError(place, field, `has no axis ${channelAxis} of channels beside that of blocks`);
  if (wide.some((axis) => axis !== channel)) throw shapeError(place, field, `of shape [${shape}] has more than one axis of channels`);
  return { shape, blockAxis, channelAxis: channelAxis ?? channel };
}

/** [out][blocks] of values in storage order; the same list when that is the storage order. */
export function channelFirst<T extends Numbers>(layout: BlockLayout, stored: T): T {
  const { channels, blocks, isChannelFirst } = orderOf(layout);
  return isChannelFirst ? stored : transposed(stored, blocks, channels);
}

/** Values in storage order of [out][blocks]; the same list when that is the storage order. */
export function inStorageOrder<T extends Numbers>(layout: BlockLayout, values: T): T {
  const { channels, blocks, isChannelFirst } = orderOf(layout);
  return isChannelFirst ? values : transposed(values, channels, blocks);
}

/** All other axes are 1 wide, so that there are two orders. */
function orderOf({ shape, blockAxis, channelAxis }: BlockLayout): { readonly channels: number; readonly blocks: number; readonly isChannelFirst: boolean } {
  const [block, channel] = [axisFromFront(blockAxis, shape.length), axisFromFront(channelAxis, shape.length)];
  return { channels: shape[channel] ?? 1, blocks: shape[block] ?? 1, isChannelFirst: channel < block };
}

/** [columns][rows] of [rows][columns] */
function transposed<T extends Numbers>(values: T, rows: number, columns: number): T {
  const result = values.slice() as T;
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column] as number;
  return result;
}

/** The layout that a graph gives to the blocks of one of its weights; undefined when it does not know the tensor. @throws ENCODINGS_SHAPE */
export function layoutInGraph(place: Place, graph: Graph | undefined, blockSize: number): BlockLayout | undefined {
  const axes = graph === undefined ? undefined : weightAxes(graph, place.tensor ?? '');
  if (axes === undefined) return undefined;
  if (axes.block === undefined) throw shapeError(place, 'block_size', `divides a tensor of shape [${axes.dims}], which has no input channels`);
  const blocks = (axes.dims[axes.block] ?? 0) / blockSize;
  if (!Number.isInteger(blocks)) throw shapeError(place, 'block_size', `${blockSize} does not divide the ${axes.dims[axes.block]} input channels of [${axes.dims}]`);
  const shape = axes.dims.map((size, axis) => (axis === axes.channel ? size : axis === axes.block ? blocks : 1));
  return { shape, blockAxis: axes.block, channelAxis: axes.channel };
}

/** Whether a layout that a file states is that of the graph's tensor. @throws ENCODINGS_SHAPE */
export function expectLayoutInGraph(place: Place, field: string, layout: BlockLayout, graph: Graph | undefined, blockSize: number): void {
  const known = layoutInGraph(place, graph, blockSize);
  if (known === undefined) return;
  const isSame = known.shape.join() === layout.shape.join() && axisFromFront(layout.blockAxis, layout.shape.length) === known.blockAxis;
  if (!isSame) throw shapeError(place, field, `has the shape [${layout.shape}] with blocks along axis ${layout.blockAxis}, the graph asks for [${known.shape}] along axis ${known.blockAxis}`);
}
