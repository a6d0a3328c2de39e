/** Names as device runtimes take them: only letters, digits and underscore. */
import { printable } from '@tundish/diagnostics';
import { graphError } from './errors.js';
import type { Graph } from './graph.js';

/** Every other character becomes an underscore, and a leading digit gets one in front: a C identifier. */
export function sanitiseName(name: string): string {
  const reduced = name.replace(/[^A-Za-z0-9_]/g, '_');
  return /^[0-9]/.test(reduced) ? `_${reduced}` : reduced;
}

/**
 * Makes sure that sanitising keeps the names of values apart, and those of nodes.
 *
 * @throws GRAPH_DEVICE_NAMES naming the first two that collide
 */
export function checkSanitisedNames(graph: Graph): void {
  checkDistinct('values', graph.values.map((value) => value.name));
  checkDistinct('nodes', graph.nodes.map((node) => node.name));
}

function checkDistinct(kind: string, names: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const name of names) {
    const sanitised = sanitiseName(name);
    const other = seen.get(sanitised);
    if (other !== undefined) {
      throw graphError('GRAPH_DEVICE_NAMES', {
        what: `${kind} ${printable(other)} and ${printable(name)} are both ${printable(sanitised)} on a device`,
        why: 'devices allow letters, digits and underscore only',
        evidence: { detail: `${kind} of the graph` },
        fix: 'rename one of them before the export',
      });
    }
    seen.set(sanitised, name);
  }
}
