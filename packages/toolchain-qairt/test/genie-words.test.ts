/** What Genie says, as it was recorded: its log, its profile, its refusals; and bundles that it is never asked about. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { validateBundle } from '@tundish/toolchain-qairt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failureError } from '../src/child/failure.js';
import { memoryEstimates } from '../src/genie-runtime/memory-estimate.js';
import { readProfile } from '../src/genie-runtime/profile.js';

describe('the log', () => {
  it('says what memory a graph needs', () => {
    const line = ' <V> Context 1 graph ar1_cl128_1_of_1 estimated PD size ~14.46MB, including nonSharedWeight 6291456 B I/O 172032 B runlist 307200 B spillfill 0 B';
    const log = [{ level: 4, text: ' <V> Context 1 estimated PD size requirement is ~29.16MB, including largest Graph estimate 15422208 B' }, { level: 4, text: line }];
    expect(memoryEstimates(log)).toEqual([{ graph: 'ar1_cl128_1_of_1', totalMib: 14.46, weightBytes: 6_291_456, ioBytes: 172_032, runListBytes: 307_200, spillFillBytes: 0 }]);
  });
});

describe('the profile', () => {
  const created = { type: 'GenieDialog_create', duration: 272_138, 'init-time': { value: 270_388, unit: 'us' } };
  const query = {
    type: 'GenieDialog_query', 'num-prompt-tokens': { value: 4, unit: '' }, 'prompt-processing-rate': { value: 4.9, unit: 'toks/sec' }, 'time-to-first-token': { value: 809_894, unit: 'us' },
    'num-generated-tokens': { value: 8, unit: '' }, 'token-generation-rate': { value: 3.7, unit: 'toks/sec' },
  };
  const profileOf = (...events: object[]): string => JSON.stringify({ components: [{ name: 'dialog0', type: 'dialog', events }] });

  it('gives numbers, and stays as it is', () => {
    const json = profileOf(created, { type: 'GenieDialog_save' }, query);
    expect(readProfile(json)).toEqual({ initTimeUs: 270_388, queries: [{ promptTokens: 4, generatedTokens: 8, timeToFirstTokenUs: 809_894, promptTokensPerSecond: 4.9, generatedTokensPerSecond: 3.7 }], json });
  });

  it.each([['no JSON', '{'], ['no dialog', '{"components":[]}'], ['a query without its numbers', profileOf(created, { type: 'GenieDialog_query' })]])('of another form is an error: %s', (_, json) => {
    expect(() => readProfile(json)).toThrow(/^GENIE_CALL_FAILED/);
  });
});

describe('a refusal', () => {
  const said = (printed: string[]) => ({ log: [{ level: 2, text: ' <W> Initializing HtpProvider' }], printed });
  const noise = ['warn: failed to set affinity mask 0xe0 (err 22)', '[INFO]  "Using create From Binary"', ' <W> Initializing HtpProvider'];

  it('has the words of the validator, once', () => {
    const line = '  - at \'/sampler\': validation failed for additional property \'top-q\'';
    const error = failureError({ call: 'GenieDialogConfig_createFromJson', result: -8, message: '' }, said(['Schema validation failed with 2 errors:', line, line]), 'the bundle');
    expect(error).toMatchObject({ code: 'GENIE_CONFIG_SCHEMA', why: 'at \'/sampler\': validation failed for additional property \'top-q\'' });
  });

  it('has the first words of what follows a dialog that was not made', () => {
    const error = failureError({ call: 'GenieDialog_create', result: -1, message: '' }, said([...noise, 'Tensor not found: position_ids_cos', 'Error : Could not find I/O tensors in loaded graphs.']), undefined);
    expect(error).toMatchObject({ code: 'GENIE_DIALOG_REFUSED', why: 'Tensor not found: position_ids_cos; Error : Could not find I/O tensors in loaded graphs.' });
    expect(error.evidence.stderr).toHaveLength(2);
  });

  it('without words has its code', () => {
    expect(failureError({ call: 'GenieDialog_save', result: -6, message: '' }, said(noise), undefined)).toMatchObject({ code: 'GENIE_CALL_FAILED', why: 'code -6' });
  });
});

describe('a bundle', () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'tundish-genie-words-'))));
  afterAll(() => rmSync(folder, { recursive: true }));
  // Nothing is loaded from it: the bundle is refused before.
  const libraries = { folder: '/nowhere', origin: 'a test' };

  it('that would end the process is refused before', async () => {
    await expect(validateBundle(libraries, folder)).rejects.toMatchObject({ code: 'GENIE_BUNDLE_NOT_FOUND' });
    writeFileSync(join(folder, 'genie_config.json'), '{"dialog":{"tokenizer":{"path":"tokenizer.json"}}}');
    await expect(validateBundle(libraries, folder)).rejects.toMatchObject({ code: 'GENIE_TOKENIZER_MISSING' });
    writeFileSync(join(folder, 'tokenizer.json'), '{"model":');
    await expect(validateBundle(libraries, folder)).rejects.toMatchObject({ code: 'GENIE_TOKENIZER_DAMAGED' });
  });
});
