/** The same dialog without chance: what Genie says of a dialog is compared token for token. */

const GREEDY = { version: 1, seed: 42, temp: 1, 'top-k': 1, 'top-p': 1, greedy: true } as const;

/** @param config text of genie_config.json; one that has no dialog is left for Genie to refuse */
export function greedyConfig(config: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(config);
  } catch {
    return config;
  }
  if (!isObject(parsed) || !isObject(parsed['dialog'])) return config;
  return JSON.stringify({ ...parsed, dialog: { ...parsed['dialog'], sampler: GREEDY } });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
