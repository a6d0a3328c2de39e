/** The dialog of a bundle without chance, and without threads that wait busily: its tokens are what matters, in an emulator. */

const GREEDY = { version: 1, seed: 42, temp: 1, 'top-k': 1, 'top-p': 1, greedy: true } as const;

/** @param config text of genie_config.json; what is not one is left for Genie to refuse */
export function greedyConfig(config: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(config);
  } catch {
    return config;
  }
  const dialog = inside(parsed, 'dialog');
  if (dialog === undefined) return config;
  const htp = inside(inside(inside(dialog, 'engine'), 'backend'), 'QnnHtp');
  // Of objects that were parsed a moment ago.
  if (htp !== undefined) htp['poll'] = false;
  dialog['sampler'] = GREEDY;
  return JSON.stringify(parsed);
}

function inside(value: unknown, key: string): Record<string, unknown> | undefined {
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? (found as Record<string, unknown>) : undefined;
}
