/** What a fidelity report says and shows of given measurements: findings, text, JSON, and a page that needs nothing else. */
import { type EncodingRow, type OperationError } from '@tundish/toolchain-qairt';
import type { Executable, TensorData, Toolchain } from '@tundish/toolchain';
import { describe, expect, it } from 'vitest';
import { type Agreement, type Divergence, agreementFindings } from '../src/fidelity/agreement.js';
import { ComparedOutputs } from '../src/fidelity/compared-outputs.js';
import { type FidelityReport, fidelityReport } from '../src/fidelity/report.js';
import { reportHtml } from '../src/fidelity/report-html.js';
import { reportJson, reportText } from '../src/fidelity/report-text.js';

const origin = { model: 'tiny <b>&"', chip: 'SM8750', hexagon: 79, device: 'qairt v2.51.0', simulation: 'onnxruntime 1.30.0', graphs: ['ar8_cl32_1_of_1'], position: 8, tokens: 24 };

function operation(values: Partial<OperationError>): OperationError {
  return { graph: 'ar8_cl32_1_of_1', node: 'Sigmoid_a', kind: 'Sigmoid', layer: '0', elements: 100, max: 4, mean: 1, bias: -0.5, unit: null, gate: { max: 8, relative: 0, bias: 1.5 }, share: 0.5, unmodelled: null, ...values };
}

const encoding = (state: EncodingRow['state'], tensor = 'x'): EncodingRow => ({ graph: 'ar8_cl32_1_of_1', tensor, state, simulation: { dtype: 'uint16', scale: 0.5, zeroPoint: 3 }, device: null, factor: 1 });

const divergence = (mean: number): Divergence => ({ mean, p99: 10 * mean, max: 50 * mean, top1: 0.99 });
const agreement: Agreement = {
  protocol: 'mini', protocolHash: '0123456789abcdef', positions: 1022, perplexity: { checkpoint: 35, simulation: 35.7, device: 35.6 },
  deviceToSimulation: divergence(0.0001), checkpointToDevice: divergence(0.02), checkpointToSimulation: divergence(0.021),
  loss: [{ quantized: 'weights', ...divergence(0.019), perplexity: 35.5 }], caches: [{ layer: 0, key: { mean: 0.01, max: 1 }, value: { mean: 0.02, max: 2 } }],
};

const good: FidelityReport = fidelityReport({ origin, operations: [operation({}), operation({ node: 'Sigmoid_b', layer: 'head', elements: 300, max: 2, mean: 3, bias: 0.5 }), operation({ node: 'Gather_c', kind: 'Gather', layer: 'embedding' })], encodings: [encoding('equal'), encoding('folded'), encoding('equal')], agreement });
const bad: FidelityReport = fidelityReport({
  origin,
  operations: [
    operation({ node: 'Conv2d_<script>', kind: 'Conv2d LPBQ', max: 20, share: 2.5, unit: 0.031 }),
    operation({ node: 'Transpose_d', kind: 'Transpose', share: Infinity, gate: { max: 0, relative: 0, bias: 0 } }),
    operation({ node: 'Gelu_e', kind: 'Gelu', share: Infinity, unmodelled: 'no model of Gelu' }),
  ],
  encodings: [encoding('different', 'a'), encoding('unsimulated', 'b'), encoding('absent', 'c'), encoding('moved', 'd')],
  agreement: null,
});

describe('a report', () => {
  it('sums up kinds by their elements, and layers in the order in which they compute', () => {
    expect(good.kinds).toEqual([
      { kind: 'Gather', operations: 1, max: 4, mean: 1, bias: -0.5, unit: null, share: 0.5 },
      { kind: 'Sigmoid', operations: 2, max: 4, mean: 2.5, bias: 0.25, unit: null, share: 0.5 },
    ]);
    expect(good.layers.map(({ layer, kind }) => `${layer} ${kind}`)).toEqual(['embedding Gather', '0 Sigmoid', 'head Sigmoid']);
    expect(good).toMatchObject({ findings: [], warnings: [] });
  });

  it('names everything that does not pass', () => {
    expect(bad.findings).toEqual([
      'ar8_cl32_1_of_1 Conv2d_<script> (Conv2d LPBQ): off by 20.00 at most and by -0.500 on average, where 8.00 and 1.500 are allowed',
      'ar8_cl32_1_of_1 Transpose_d (Transpose): off by 4.00 at most and by -0.500 on average, where 0.00 and 0.000 are allowed',
      'ar8_cl32_1_of_1 Gelu_e: no model of Gelu',
      'ar8_cl32_1_of_1 a has another grid in the simulation than on the device',
      'ar8_cl32_1_of_1 b is rounded on the device and not in the simulation',
      'ar8_cl32_1_of_1 c is rounded in the simulation and not on the device',
    ]);
    expect(bad.warnings).toEqual(['ar8_cl32_1_of_1 Conv2d_<script>: one unit of its sum is 0.0310 codes of its output, 0.02 is much']);
  });

  it.each([
    ['nothing', {}, []],
    ['a divergence above its share of the loss', { deviceToSimulation: divergence(0.00041) }, [/divergence .* 4\.10e-4 nats, 4\.00e-4/]],
    ['a divergence that is a share of little', { deviceToSimulation: divergence(0.00009), checkpointToDevice: divergence(0.0001) }, []],
    ['another perplexity', { perplexity: { checkpoint: 35, simulation: 36, device: 35.5 } }, [/1\.41 % off, 0\.3 %/]],
  ])('says of logits: %s', (_what, changed, expected) => {
    const findings = agreementFindings({ ...agreement, ...changed });
    expect(findings.length).toBe(expected.length);
    expected.forEach((pattern, i) => expect(findings[i]).toMatch(pattern));
  });

  it('is text with a table of kinds, encodings by state, logits and caches', () => {
    const text = reportText(good);
    expect(text).toMatch(/^tiny <b>&" on SM8750 \(v79\), emulator of qairt v2\.51\.0, simulation by onnxruntime 1\.30\.0; ar8_cl32_1_of_1, tokens 8 to 31\n/);
    expect(text).toMatch(/^Sigmoid +2 +4\.00 +2\.500 +0\.250 +0\.50$/m);
    expect(text).toContain('simulation against device: 2 equal, 1 folded\n');
    expect(text).toMatch(/^device to simulation +35\.7000 +1\.00e-4/m);
    expect(text).toMatch(/^checkpoint to weights +35\.5000 +0\.0190/m);
    expect(text).toMatch(/^0 +0\.0100 +1 +0\.0200 +2$/m);
    expect(text).toMatch(/Everything passes\.\n$/);
    expect(reportText(bad)).toMatch(/Coarse sums:\n {2}ar8.*\n\nDoes not pass:\n( {2}ar8.*\n){6}$/);
  });

  it('is JSON without a number that JSON lacks', () => {
    expect(JSON.parse(reportJson(good))).toEqual(good);
    expect((JSON.parse(reportJson(bad)) as { operations: { share: unknown }[] }).operations.map(({ share }) => share)).toEqual([2.5, 'Infinity', 'Infinity']);
  });
});

describe.each([['that passes', good], ['that does not', bad]])('the page of a report %s', (_what, report) => {
  const page = reportHtml(report);

  it('has its elements closed in order', () => {
    const open: string[] = [];
    for (const [tag, closing, name = '', empty] of page.slice('<!doctype html>'.length).matchAll(/<(\/?)([a-z][a-z0-9]*)[^>]*?(\/?)>/g)) {
      if (closing === '/') expect([tag, open.pop()]).toEqual([tag, name]);
      else if (empty !== '/' && name !== 'meta') open.push(name);
    }
    expect(open).toEqual([]);
    expect(page.startsWith('<!doctype html>\n<html lang="en">')).toBe(true);
  });

  it('asks for nothing from outside, and runs nothing', () => {
    expect(page).not.toMatch(/https?:|\/\/|\b(src|href|srcset|data|action|on[a-z]+)\s*=|url\(|@import|<(script|link|iframe|object|embed|img|base|form)\b/i);
  });

  it('holds names as text, and every kind and layer', () => {
    expect(page).toContain('Fidelity of tiny &lt;b&gt;&amp;&quot;');
    for (const { kind } of report.kinds) expect(page).toContain(`<td>${kind}</td>`);
    expect(page.match(/<rect /g)?.length).toBe(report.layers.length);
    for (const finding of report.findings.filter((line) => !line.includes('<'))) expect(page).toContain(finding);
  });

  it('has the same bytes for the same report', () => {
    expect(reportHtml(JSON.parse(JSON.stringify(report, (_, value: unknown) => (value === Infinity ? 'inf' : value)), (_, value: unknown) => (value === 'inf' ? Infinity : value)) as FidelityReport)).toBe(page);
  });
});

it('a page shows failures in red, and what is near its gate darker', () => {
  expect(reportHtml(bad)).toContain('Conv2d_&lt;script&gt;');
  expect(reportHtml(bad).match(/fill="#b3261e"/g)?.length).toBe(3);
  expect(reportHtml(good)).toContain('fill="rgb(127,154,198)"');
});

describe('caches of two toolchains', () => {
  /** Gives the codes of each run in turn. */
  function toolchain(runs: readonly (readonly number[])[]): Toolchain {
    let next = 0;
    const executable: Executable = {
      graphs: [], prepare: () => Promise.resolve(), close: () => Promise.resolve(),
      run: () => Promise.resolve(new Map<string, TensorData>([['past_key_3_out', Uint8Array.from(runs[next++] ?? [])], ['logits', Uint8Array.of(next)]])),
    };
    return { open: () => Promise.resolve(executable) } as unknown as Toolchain;
  }

  it('are compared run by run, whichever side runs first', async () => {
    const compared = new ComparedOutputs();
    const device = await compared.listen('device', toolchain([[1, 2], [3, 4], [9, 9]])).open({ graphs: [], files: new Map(), threads: 1 });
    const simulation = await compared.listen('simulation', toolchain([[1, 3], [6, 4]])).open({ graphs: [], files: new Map(), threads: 1 });
    for (const executable of [device, device, simulation, simulation, device]) await executable.run('g', new Map());
    expect(compared.rows()).toEqual([{ layer: 3, key: { mean: 1, max: 3 }, value: { mean: 0, max: 0 } }]);
  });
});
