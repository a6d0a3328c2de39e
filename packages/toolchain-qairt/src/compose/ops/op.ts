/** What composes one kind of node. */
import { printable } from '@tundish/diagnostics';
import type { Node } from '@tundish/graph';
import type { Composition } from '../composition.js';
import { composeError } from '../errors.js';

/** Adds the operations that compute the outputs of `node`; its inputs are there. @throws QAIRT_OP_UNSUPPORTED */
export type ComposeNode = (composition: Composition, node: Node) => void;

/** @param form what of the node has no counterpart */
export function unsupportedForm(node: Node, form: string, fix?: string): Error {
  return composeError('QAIRT_OP_UNSUPPORTED', {
    what: `${node.opType} ${printable(node.name)}: ${form}`,
    why: 'the compiler has no operation that computes this',
    ...(fix === undefined ? {} : { fix }),
  });
}
