/** A fidelity report for terminals, and as JSON. */
import { type Column, percent, smallNumber, tableOf } from '@tundish/evaluate';
import type { EncodingState } from '@tundish/toolchain-qairt';
import type { Agreement, Divergence } from './agreement.js';
import { type ErrorSummary, type FidelityReport, errorText } from './report.js';

/** Findings that are shown. */
const SHOWN = 40;

/** Numbers that JSON does not have are words: `Infinity`, `NaN`. */
export function reportJson(report: FidelityReport): string {
  return `${JSON.stringify(report, (_, value: unknown) => (typeof value === 'number' && !Number.isFinite(value) ? String(value) : value), 2)}\n`;
}

export function reportText(report: FidelityReport): string {
  const { kinds, agreement, warnings, findings } = report;
  const sections = [
    `${describeOrigin(report)}\n`,
    `Operations against exact arithmetic, in ${errorUnit(report)}; a share of the gate above 1 fails`,
    tableOf(KIND_COLUMNS, kinds),
    `\nEncodings, simulation against device: ${describeEncodings(report)}`,
    ...(agreement === null ? [] : [`\n${agreementText(agreement, cacheTitle(report))}`]),
    ...(warnings.length === 0 ? [] : [`\nCoarse sums:\n${listed(warnings)}`]),
    findings.length === 0 ? '\nEverything passes.' : `\nDoes not pass:\n${listed(findings)}`,
  ];
  return `${sections.join('\n')}\n`;
}

/** What errors of operations are counted in. */
export function errorUnit({ origin: { precision } }: FidelityReport): string {
  return precision === 'fp16' ? 'shares of the root mean square of their output' : 'codes of their output';
}

export function cacheTitle({ origin: { precision } }: FidelityReport): string {
  return `${precision === 'fp16' ? 'Values' : 'Codes'} of the cache, simulation against device`;
}

/** Which model, chip, libraries and graphs made the numbers. */
export function describeOrigin({ origin: { model, chip, hexagon, device, simulation, graphs, position, tokens } }: FidelityReport): string {
  return `${model} on ${chip} (v${hexagon}), emulator of ${device}, simulation by ${simulation}; ${graphs.join(', ')}, tokens ${position} to ${position + tokens - 1}`;
}

/** How many encodings are in which state. */
export function describeEncodings({ encodings }: FidelityReport): string {
  const counts = new Map<EncodingState, number>();
  for (const { state } of encodings) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([state, count]) => `${count} ${state}`).join(', ');
}

export const KIND_COLUMNS: readonly Column<ErrorSummary>[] = [
  ['operation', ({ kind }) => kind],
  ['count', ({ operations }) => `${operations}`],
  ['max', ({ max }) => errorText(max, 2)],
  ['mean', ({ mean }) => errorText(mean, 3)],
  ['bias', ({ bias }) => errorText(bias, 3)],
  ['coarsest sum', ({ unit }) => (unit === null ? '' : unit.toFixed(4))],
  ['share of gate', ({ share }) => shareText(share)],
];

export function shareText(share: number): string {
  return Number.isFinite(share) ? share.toFixed(2) : 'fails';
}

/** One line of the comparison over text. */
export interface AgreementLine extends Divergence {
  readonly what: string;
  readonly perplexity: number;
}

export function agreementLines({ perplexity, deviceToSimulation, checkpointToDevice, checkpointToSimulation, loss }: Agreement): AgreementLine[] {
  return [
    { what: 'device to simulation', ...deviceToSimulation, perplexity: perplexity.simulation },
    { what: 'checkpoint to device', ...checkpointToDevice, perplexity: perplexity.device },
    { what: 'checkpoint to simulation', ...checkpointToSimulation, perplexity: perplexity.simulation },
    ...loss.map(({ quantized, ...line }) => ({ ...line, what: `checkpoint to ${quantized}` })),
  ];
}

export const AGREEMENT_COLUMNS: readonly Column<AgreementLine>[] = [
  ['from, to', ({ what }) => what],
  ['perplexity', (line) => line.perplexity.toFixed(4)],
  ['mean KL (nat)', ({ mean }) => smallNumber(mean)],
  ['99 %', ({ p99 }) => smallNumber(p99)],
  ['max', ({ max }) => smallNumber(max)],
  ['top-1', ({ top1 }) => percent(top1)],
];

export const CACHE_COLUMNS: readonly Column<Agreement['caches'][number]>[] = [
  ['layer', ({ layer }) => `${layer}`],
  ['K mean', ({ key }) => errorText(key.mean, 4)],
  ['K max', ({ key }) => errorText(key.max, Number.isInteger(key.max) ? 0 : 4)],
  ['V mean', ({ value }) => errorText(value.mean, 4)],
  ['V max', ({ value }) => errorText(value.max, Number.isInteger(value.max) ? 0 : 4)],
];

function agreementText(agreement: Agreement, caches: string): string {
  const { protocol, protocolHash, positions, perplexity } = agreement;
  return [
    `Logits over ${positions} tokens; checkpoint perplexity ${perplexity.checkpoint.toFixed(4)}; protocol ${protocol} ${protocolHash.slice(0, 12)}`,
    tableOf(AGREEMENT_COLUMNS, agreementLines(agreement)),
    `\n${caches}`,
    tableOf(CACHE_COLUMNS, agreement.caches),
  ].join('\n');
}

function listed(lines: readonly string[]): string {
  const more = lines.length > SHOWN ? [`  and ${lines.length - SHOWN} more`] : [];
  return [...lines.slice(0, SHOWN).map((line) => `  ${line}`), ...more].join('\n');
}
