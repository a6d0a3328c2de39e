/** Graph passes: what they demand, what they do, what they promise, and a runner that holds them to it. */
import { TundishError } from '@tundish/diagnostics';
import { graphError } from './errors.js';
import type { Model } from './graph.js';
import { inferShapes } from './shape-inference/infer-shapes.js';

/** A change of a model in place. `requires` and `ensures` throw a TundishError when they do not hold. */
export interface Pass {
  readonly name: string;
  requires(model: Model): void;
  /** Changes the graph; `modified` is false only when nothing changed. */
  run(model: Model): { readonly modified: boolean };
  ensures(model: Model): void;
}

/** Which passes changed the model, in the order in which they ran. */
export interface PassReport {
  readonly ran: readonly { readonly pass: string; readonly modified: boolean }[];
  readonly modified: boolean;
}

/**
 * Runs passes in order on one model. After a pass that modified the graph its shapes are inferred again, so that a pass
 * that leaves an inconsistent graph fails under its own name.
 *
 * @throws GRAPH_PASS naming the pass and the check that failed
 */
export function runPasses(model: Model, passes: readonly Pass[]): PassReport {
  const ran = passes.map((pass) => {
    held(pass, 'does not accept this graph', () => pass.requires(model));
    const { modified } = pass.run(model);
    held(pass, 'left an inconsistent graph', () => {
      if (modified) inferShapes(model);
    });
    held(pass, 'broke its promise', () => pass.ensures(model));
    return { pass: pass.name, modified };
  });
  return { ran, modified: ran.some(({ modified }) => modified) };
}

function held(pass: Pass, fault: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof TundishError)) throw error;
    throw graphError('GRAPH_PASS', {
      what: `pass ${pass.name} ${fault}: ${error.what}`,
      evidence: error.evidence,
      fix: error.fix ?? `run the passes that ${pass.name} builds on first, or correct it`,
      cause: error,
      ...(error.why === undefined ? {} : { why: error.why }),
    });
  }
}
