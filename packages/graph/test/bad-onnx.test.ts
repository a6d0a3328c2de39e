/** The bad-input table of ONNX files: each is refused with the right sentence, repaired with a note, or loads. */
import { readFileSync } from 'node:fs';
import { TundishError, recordingReporter } from '@tundish/diagnostics';
import { expect, test } from 'vitest';
import { checkSanitisedNames, decodeModel } from '../src/index.js';

const ROOT = new URL('../../../test/fixtures/bad/', import.meta.url);
const FOLDER = new URL('onnx', ROOT).pathname;

/** What the message must hold; the table in the fixtures says it in prose. */
const SAYS: Readonly<Record<string, RegExp>> = {
  empty: /file is empty/,
  truncated: /ends inside field graph.*\d+ are left/,
  'truncated-half': /ends inside field graph.*\d+ are left/,
  random: /not an ONNX file/,
  'varint-overlong': /malformed varint at byte 1\b/,
  'length-2gb': /field graph claims 2147483647 bytes, 0 are left/,
  'no-graph': /no graph/,
  'external-traversal': /w: external data leaves the folder of the model/,
  'external-absolute': /w: external data leaves the folder of the model/,
  'external-missing': /w: external file nowhere\.data not found/,
  'external-beyond-end': /w: bytes 40\.\.104 of weights\.data, which has 68/,
  'external-negative': /w: offset must be a non-negative integer/,
  'external-length-wrong': /w: FLOAT \[4,4\] is 64 bytes, length says 32/,
  'external-no-location': /w: external without location/,
  cyclic: /cycle: n1 -> n2 -> n1/,
  'self-loop': /cycle: n1 -> n1/,
  'legal-unsorted': /not in topological order/,
  'dangling-input': /mm: input ghost is not defined/,
  'output-not-produced': /output z is not produced/,
  'two-producers': /y is produced by mm and r/,
  'duplicate-initializer': /duplicate initializer w/,
  'duplicate-node-names': /two nodes are named n: one is now n_1/,
  'raw-size-wrong': /w: 64 bytes expected, 60 found/,
  'dims-negative': /dims must be non-negative/,
  'dims-overflow': /element count overflows/,
  'dtype-unknown': /w: unknown data_type 99/,
  'op-unknown': /f: unknown op Frobnicate in opset 17/,
  'domain-not-imported': /f: domain my\.domain has no opset import/,
  'opset-999': /opset 999 is newer than 26/,
  'shape-conflict': /y: declared \[2,4\], inferred \[4,4\]/,
  'matmul-mismatch': /mm: inner dims 4 and 2/,
  'sanitised-names-collide': /values a\/b and a\.b are both a_b/,
};

interface Case {
  readonly path: string;
  readonly expect: 'ok' | 'warn' | 'error';
}

const cases = (JSON.parse(readFileSync(new URL('cases.json', ROOT), 'utf8')) as Case[]).filter(({ path }) => path.startsWith('onnx/'));

/** Everything that was said about a file, by an error or by notes. */
function inspect(path: string): { readonly error?: TundishError; readonly said: string } {
  const reporter = recordingReporter();
  try {
    const model = decodeModel(readFileSync(new URL(path, ROOT)), { path, checkExternal: FOLDER, reporter });
    if (path.includes('sanitised')) checkSanitisedNames(model.graph);
    return { said: reporter.warnings.join('\n') };
  } catch (error) {
    if (!(error instanceof TundishError)) throw error;
    return { error, said: error.what };
  }
}

test('the table has files', () => expect(cases.length).toBeGreaterThanOrEqual(34));

test.each(cases)('$path: $expect', ({ path, expect: outcome }) => {
  const { error, said } = inspect(path);
  const name = path.slice('onnx/'.length, -'.onnx'.length);
  if (outcome === 'ok') {
    expect(said).toBe('');
    return;
  }
  expect(said).toMatch(SAYS[name] as RegExp);
  if (outcome === 'error') {
    expect(error?.code).toMatch(/^(ONNX|GRAPH)_/);
    expect(error?.evidence.path).toMatch(/\.(onnx|data)$/);
  }
});
