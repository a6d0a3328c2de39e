/** Concat: Concat. The compiler joins codes and drops what lies between, so all of them must be on one grid. */
import { printable } from '@tundish/diagnostics';
import { encodingText, sameGrid } from '../element.js';
import { composeError } from '../errors.js';
import { unsigned } from '../parameters.js';
import type { ComposeNode } from './op.js';

/** @throws QAIRT_CONCAT_ENCODING */
export const composeConcat: ComposeNode = (composition, node) => {
  const output = node.output();
  const inputs = node.inputs.filter((input) => input !== undefined);
  const other = inputs.find((input) => !sameGrid(composition.encodingOf(input), composition.encodingOf(output)));
  if (other !== undefined) {
    const [a, b] = [composition.encodingOf(other), composition.encodingOf(output)];
    throw composeError('QAIRT_CONCAT_ENCODING', {
      what: `${printable(other.name)} is joined into ${printable(output.name)}, which has another encoding`,
      why: 'the compiler joins codes without converting them, and does not clip them either',
      evidence: { detail: `${encodingText(a)}, and ${encodingText(b)}` },
      fix: 'give all inputs of a Concat the encoding of its output',
    });
  }
  composition.make(output, { type: 'Concat', inputs: inputs.map((input) => composition.tensorOf(input)), parameters: [unsigned('axis', composition.axis(output, node.int('axis') ?? 0))] });
};
