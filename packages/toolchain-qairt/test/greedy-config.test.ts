/** The configuration that acceptance runs with: what the bundle says, but for the sampler and the waiting. */
import { describe, expect, it } from 'vitest';
import { greedyConfig } from '../src/genie-runtime/greedy-config.js';

const CONFIG = { dialog: { version: 1, type: 'basic', sampler: { version: 1, temp: 0.8, 'token-penalty': { version: 1 } }, engine: { version: 1, backend: { type: 'QnnHtp', QnnHtp: { poll: true, 'kv-dim': 32 } } } } };

describe('greedyConfig', () => {
  it('changes the sampler and polling alone', () => {
    const { dialog } = JSON.parse(greedyConfig(JSON.stringify(CONFIG))) as typeof CONFIG;
    expect(dialog.sampler).toEqual({ version: 1, seed: 42, temp: 1, 'top-k': 1, 'top-p': 1, greedy: true });
    expect(dialog).toEqual({ ...CONFIG.dialog, sampler: dialog.sampler, engine: { version: 1, backend: { type: 'QnnHtp', QnnHtp: { poll: false, 'kv-dim': 32 } } } });
  });

  it.each(['', 'null', '[]', '{"dialog":[]}', '{"other":1}'])('leaves %s for Genie to refuse', (text) => expect(greedyConfig(text)).toBe(text));
});
