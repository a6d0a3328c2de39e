/** A graph with its encodings, as the rules of the lint look at it. */
import { type Graph, constantValues } from '@tundish/graph';
import type { BlockForm, ChannelForm, EncodingsDocument, EncodingsEntry, TensorEncoding, TensorForm } from '../encodings-formats/document.js';
import { middleOf } from '../encodings-formats/offsets.js';

export interface LintView {
  readonly graph: Graph;
  readonly entries: readonly EncodingsEntry[];
  readonly activations: ReadonlyMap<string, TensorEncoding>;
  readonly parameters: ReadonlyMap<string, TensorEncoding>;
}

/** An entry without a role belongs to what the graph has under its name. */
export function viewOf(graph: Graph, { entries }: EncodingsDocument): LintView {
  const constants = new Set([...constantValues(graph)].map(({ name }) => name));
  const roleOf = ({ name, role }: EncodingsEntry): EncodingsEntry['role'] => role ?? (constants.has(name) ? 'parameter' : 'activation');
  const table = (role: EncodingsEntry['role']): ReadonlyMap<string, TensorEncoding> => new Map(entries.filter((entry) => roleOf(entry) === role).map(({ name, encoding }) => [name, encoding]));
  return { graph, entries, activations: table('activation'), parameters: table('parameter') };
}

/** Whether every zero point is in the middle of its grid. */
export function isSymmetric(encoding: TensorEncoding): boolean {
  if (encoding.kind === 'float' || encoding.kind === 'lpbq') return true;
  return zeroPointsOf(encoding).every((zero) => zero === middleOf(encoding.grid.bits));
}

export function zeroPointsOf({ zeroPoint }: TensorForm | ChannelForm | BlockForm): readonly number[] {
  return typeof zeroPoint === 'number' ? [zeroPoint] : [...zeroPoint];
}

/** The reals of the first and the last code. */
export function realRange({ grid, scale, zeroPoint }: TensorForm): { readonly min: number; readonly max: number } {
  return { min: (0 - zeroPoint) * scale, max: (2 ** grid.bits - 1 - zeroPoint) * scale };
}

/** `uint8, scale 0.5, zero point 3` */
export function encodingText(encoding: TensorEncoding): string {
  switch (encoding.kind) {
    case 'float': return `float of ${encoding.bits} bits`;
    case 'per-tensor': return `${encoding.grid.bits} bits, scale ${encoding.scale}, zero point ${encoding.zeroPoint}`;
    case 'per-channel': return `${encoding.grid.bits} bits, ${encoding.scale.length} channels`;
    case 'per-block': return `${encoding.grid.bits} bits, ${encoding.scale.length} blocks`;
    case 'lpbq': return `LPBQ of ${encoding.bits} bits, ${encoding.channelScale.length} channels`;
  }
}
