/** A fidelity report as one HTML page that needs nothing else: no script, no style sheet, no font, no picture from outside. */
import type { Column } from '@tundish/evaluate';
import type { EncodingGrid, EncodingRow, OperationError } from '@tundish/toolchain-qairt';
import { escapeHtml } from './escape-html.js';
import { heatMap } from './heat-map.js';
import { type FidelityReport, errorText } from './report.js';
import { AGREEMENT_COLUMNS, CACHE_COLUMNS, KIND_COLUMNS, agreementLines, cacheTitle, describeEncodings, describeOrigin, errorUnit, shareText } from './report-text.js';

const STYLE = 'body{font:14px/1.45 system-ui,sans-serif;margin:2em;color:#222}table{border-collapse:collapse;margin:.5em 0 1.5em}th,td{padding:.15em .7em;text-align:right;border-bottom:1px solid #ddd}th:first-child,td:first-child{text-align:left}svg{font:11px system-ui,sans-serif}.bad{color:#b3261e}code{font-size:12px}';

/** Operations that are listed one by one: those nearest to their gates. */
const LISTED = 60;

/** Equal reports give equal pages. */
export function reportHtml(report: FidelityReport): string {
  const { origin, kinds, operations, encodings, agreement, warnings, findings } = report;
  const nearest = [...operations].sort((a, b) => order(b.share) - order(a.share)).slice(0, LISTED);
  return `${[
    '<!doctype html>', '<html lang="en">', '<head>', '<meta charset="utf-8">', `<title>Fidelity of ${escapeHtml(origin.model)}</title>`, `<style>${STYLE}</style>`, '</head>', '<body>',
    `<h1>Fidelity of ${escapeHtml(origin.model)}</h1>`, `<p>${escapeHtml(describeOrigin(report))}</p>`,
    findings.length === 0 ? '<p>Everything passes.</p>' : `<h2 class="bad">Does not pass</h2>\n${list(findings)}`,
    '<h2>Operations</h2>', `<p>Each operation against exact arithmetic on what it was given, in ${errorUnit(report)}. The map shows the largest share of the gate; above 1 it fails.</p>`,
    layerMap(report), table(KIND_COLUMNS, kinds),
    ...(warnings.length === 0 ? [] : ['<h3>Coarse sums</h3>', list(warnings)]),
    ...(agreement === null ? [] : ['<h2>Logits</h2>', `<p>${agreement.positions} tokens; checkpoint perplexity ${agreement.perplexity.checkpoint.toFixed(4)}; protocol ${escapeHtml(agreement.protocol)} ${escapeHtml(agreement.protocolHash.slice(0, 12))}</p>`, table(AGREEMENT_COLUMNS, agreementLines(agreement)), `<h3>${cacheTitle(report)}</h3>`, table(CACHE_COLUMNS, agreement.caches)]),
    '<h2>Operations nearest to their gates</h2>', table(OPERATION_COLUMNS, nearest),
    '<h2>Encodings</h2>', `<p>${escapeHtml(describeEncodings(report))}</p>`, '<details><summary>All encodings</summary>', table(ENCODING_COLUMNS, encodings), '</details>',
    '</body>', '</html>',
  ].join('\n')}\n`;
}

function layerMap({ layers, kinds }: FidelityReport): string {
  const cells = layers.map(({ layer, kind, share, max, mean, bias, operations }) => ({
    row: kind, column: layer, share, label: shareText(share),
    title: `${kind}, ${layer}: max ${errorText(max, 2)}, mean ${errorText(mean, 3)}, bias ${errorText(bias, 3)}, ${operations} operations`,
  }));
  return heatMap(kinds.map(({ kind }) => kind), [...new Set(layers.map(({ layer }) => layer))], cells);
}

const OPERATION_COLUMNS: readonly Column<OperationError>[] = [
  ['operation', ({ node }) => node],
  ['graph', ({ graph }) => graph],
  ['kind', ({ kind }) => kind],
  ['max', ({ max }) => errorText(max, 2)],
  ['mean', ({ mean }) => errorText(mean, 3)],
  ['bias', ({ bias }) => errorText(bias, 3)],
  ['unit of its sum', ({ unit }) => (unit === null ? '' : unit.toFixed(4))],
  ['share of gate', ({ share }) => shareText(share)],
];

const ENCODING_COLUMNS: readonly Column<EncodingRow>[] = [
  ['tensor', ({ tensor }) => tensor],
  ['graph', ({ graph }) => graph],
  ['state', ({ state }) => state],
  ['simulation', ({ simulation }) => gridText(simulation)],
  ['device', ({ device }) => gridText(device)],
  ['factor', ({ factor }) => (factor === 1 ? '' : `${factor}`)],
];

function gridText(grid: EncodingGrid | null): string {
  return grid === null ? '' : `${grid.dtype} ${grid.scale} ${grid.zeroPoint}`;
}

function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const line = (cell: 'th' | 'td', values: readonly string[]): string => `<tr>${values.map((value) => `<${cell}>${escapeHtml(value)}</${cell}>`).join('')}</tr>`;
  return ['<table>', line('th', columns.map(([title]) => title)), ...rows.map((row) => line('td', columns.map(([, show]) => show(row)))), '</table>'].join('\n');
}

function list(lines: readonly string[]): string {
  return ['<ul>', ...lines.map((line) => `<li><code>${escapeHtml(line)}</code></li>`), '</ul>'].join('\n');
}

/** Infinity minus Infinity is no order. */
function order(share: number): number {
  return Math.min(share, Number.MAX_VALUE);
}
