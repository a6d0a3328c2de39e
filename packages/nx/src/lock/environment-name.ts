/** Names of the environment variables by which the hook before a run speaks to the tasks of one model and to Nx. */

/** `TUNDISH_STATE_MODELS_LLAMA32` for `STATE` and `models/llama32`. */
export function environmentName(what: string, path: string): string {
  return `TUNDISH_${what}_${path.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`;
}
