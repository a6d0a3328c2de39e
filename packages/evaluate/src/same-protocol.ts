/** Refuses to put results side by side that were measured in different ways. */
import { evaluateError } from './errors.js';
import { protocolFields } from './protocol.js';

/** What every result says of its protocol. */
export interface Measured {
  readonly subject: string;
  readonly protocol: { readonly name: string };
  readonly protocolHash: string;
}

/**
 * Checks that results may stand side by side.
 *
 * @throws TundishError EVALUATE_PROTOCOL_MISMATCH when two protocol hashes differ, with the fields that do
 */
export function requireSameProtocol(results: readonly Measured[]): void {
  const [head, ...rest] = results;
  const other = rest.find((result) => result.protocolHash !== head?.protocolHash);
  if (head === undefined || other === undefined) return;
  throw evaluateError('EVALUATE_PROTOCOL_MISMATCH', {
    what: `${head.subject} under ${head.protocol.name} and ${other.subject} under ${other.protocol.name} cannot be compared`,
    why: differences(head.protocol, other.protocol),
    fix: 'evaluate both again with the same checkpoint, text, tokenizer, protocol and number of windows',
  });
}

function differences(a: object, b: object): string {
  const [left, right] = [protocolFields(a), protocolFields(b)];
  const names = [...new Set([...left.keys(), ...right.keys()])].filter((name) => JSON.stringify(left.get(name)) !== JSON.stringify(right.get(name)));
  return names.map((name) => `${name}: ${shown(left.get(name))} and ${shown(right.get(name))}`).join('; ');
}

/** A digest is told apart by its beginning. */
function shown(field: unknown): string {
  const text = field === undefined ? 'absent' : JSON.stringify(field);
  return text.length > 40 ? `${text.slice(0, 16)}…` : text;
}
