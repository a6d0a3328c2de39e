/** What a hook tells the tasks of one model through the environment, without touching the tasks of other projects. */
import { TundishError } from '@tundish/diagnostics';
import type { ErrorFacts } from '@tundish/diagnostics';
import { environmentName } from './environment-name.js';

/**
 * What the lock on disk cannot say: its recipe has a fault, so tasks must fail with the reason and never hit; or the lock
 * was made after Nx listed the workspace, in which case Nx hashes no field of it and the digest must stand in.
 */
export type ModelState =
  | { readonly kind: 'ready' }
  | { readonly kind: 'refused'; readonly problem: Error }
  | { readonly kind: 'new-lock'; readonly sha256: string };

/**
 * The environment variable that carries the state; it is an input of every stage target.
 *
 * @param modelRoot for example `models/llama32`, which gives `TUNDISH_STATE_MODELS_LLAMA32`
 */
export function stateVariable(modelRoot: string): string {
  return environmentName('STATE', modelRoot);
}

/** Always sets the variable: the daemon keeps one process for many runs. */
export function announceState(modelRoot: string, state: ModelState): void {
  process.env[stateVariable(modelRoot)] = encodeState(state);
}

function encodeState(state: ModelState): string {
  if (state.kind === 'ready') return '';
  if (state.kind === 'new-lock') return state.sha256;
  const { problem } = state;
  return JSON.stringify(problem instanceof TundishError ? problem : { code: 'NX_UNEXPECTED', what: problem.message, why: problem.stack });
}

/** The error with which every task of the model must fail. */
export function refusalOf(modelRoot: string): TundishError | undefined {
  const text = process.env[stateVariable(modelRoot)] ?? '';
  if (!text.startsWith('{')) return undefined;
  const { code, ...facts } = JSON.parse(text) as ErrorFacts & { readonly code: string };
  return new TundishError(code, facts);
}
