/** What a fidelity report holds: operations, encodings and logits of the simulation against the device, and whether all of it passes. */
import { ENCODING_FINDINGS, type EncodingRow, LARGEST_UNIT, type LayerName, type OperationError, type Precision } from '@tundish/toolchain-qairt';
import { type Agreement, agreementFindings } from './agreement.js';

/** What made the numbers. */
export interface ReportOrigin {
  readonly model: string;
  /** `SM8750`, and its Hexagon version. */
  readonly chip: string;
  readonly hexagon: number;
  /** Build of the vendor's libraries, whose emulator stands for the device. */
  readonly device: string;
  /** Version of the host's toolchain, and its numerics. */
  readonly simulation: string;
  /** Of activations. */
  readonly precision: Precision;
  /** Graphs whose operations were measured, in the order in which they run. */
  readonly graphs: readonly string[];
  /** Position of the first token of the measured passes, and how many tokens they have. */
  readonly position: number;
  readonly tokens: number;
}

/** All operations of one kind, or of one kind in one layer. Errors are codes of the output, or shares of the root mean square of half floats. */
export interface ErrorSummary {
  readonly kind: string;
  readonly operations: number;
  readonly max: number;
  readonly mean: number;
  readonly bias: number;
  /** Largest of the operations. */
  readonly unit: number | null;
  /** Largest share of a gate; above 1 an operation fails. */
  readonly share: number;
}

export interface FidelityReport {
  readonly origin: ReportOrigin;
  readonly kinds: readonly ErrorSummary[];
  /** In the order of the layers, then of the kinds. */
  readonly layers: readonly (ErrorSummary & { readonly layer: LayerName })[];
  readonly operations: readonly OperationError[];
  /** Activations and weights of all graphs. */
  readonly encodings: readonly EncodingRow[];
  /** Null where logits were not compared. */
  readonly agreement: Agreement | null;
  /** Sums that are coarse, by name: they pass, and cost precision. */
  readonly warnings: readonly string[];
  /** What does not pass, by name; none where the simulation predicts the device. */
  readonly findings: readonly string[];
}

export type MeasuredParts = Pick<FidelityReport, 'origin' | 'operations' | 'encodings' | 'agreement'>;

export function fidelityReport({ origin, operations, encodings, agreement }: MeasuredParts): FidelityReport {
  const kinds = distinct(operations.map(({ kind }) => kind)).sort();
  const layers = distinct(operations.map(({ layer }) => layer)).sort((a, b) => order(a) - order(b));
  return {
    origin, operations, encodings, agreement,
    kinds: kinds.map((kind) => summary(kind, operations.filter((operation) => operation.kind === kind))),
    layers: layers.flatMap((layer) => kinds.flatMap((kind) => {
      const own = operations.filter((operation) => operation.layer === layer && operation.kind === kind);
      return own.length === 0 ? [] : [{ layer, ...summary(kind, own) }];
    })),
    warnings: operations.filter(({ unit }) => unit !== null && unit > LARGEST_UNIT).map(({ node, graph, unit }) => `${graph} ${node}: one unit of its sum is ${(unit as number).toFixed(4)} codes of its output, ${LARGEST_UNIT} is much`),
    findings: [...operations.flatMap(operationFinding), ...encodings.flatMap(encodingFinding), ...(agreement === null ? [] : agreementFindings(agreement))],
  };
}

function summary(kind: string, operations: readonly OperationError[]): ErrorSummary {
  const elements = operations.reduce((count, operation) => count + operation.elements, 0);
  const average = (value: (operation: OperationError) => number): number => (elements === 0 ? 0 : operations.reduce((sum, operation) => sum + value(operation) * operation.elements, 0) / elements);
  const units = operations.flatMap(({ unit }) => (unit === null ? [] : [unit]));
  return {
    kind, operations: operations.length,
    max: largest(operations.map(({ max }) => max)), mean: average(({ mean }) => mean), bias: average(({ bias }) => bias),
    unit: units.length === 0 ? null : largest(units), share: largest(operations.map(({ share }) => share)),
  };
}

function operationFinding({ graph, node, kind, max, bias, gate, share, unmodelled }: OperationError): string[] {
  if (unmodelled !== null) return [`${graph} ${node}: ${unmodelled}`];
  if (share <= 1) return [];
  return [`${graph} ${node} (${kind}): off by ${errorText(max, 2)} at most and by ${errorText(bias, 3)} on average, where ${errorText(gate.max, 2)}${gate.relative === 0 ? '' : ` + ${gate.relative} x output`} and ${errorText(gate.bias, 3)} are allowed`];
}

/** Errors of half floats are small numbers. */
export function errorText(error: number, digits: number): string {
  return error === 0 || Math.abs(error) >= 0.01 ? error.toFixed(digits) : error.toExponential(1);
}

const STATES: Readonly<Record<string, string>> = {
  different: 'has another grid in the simulation than on the device',
  unsimulated: 'is rounded on the device and not in the simulation',
  absent: 'is rounded in the simulation and not on the device',
};

function encodingFinding({ graph, tensor, state }: EncodingRow): string[] {
  return ENCODING_FINDINGS.has(state) ? [`${graph} ${tensor} ${STATES[state] ?? state}`] : [];
}

/** The embedding first, the head last. */
function order(layer: LayerName): number {
  if (layer === 'embedding') return -1;
  return layer === 'head' ? Infinity : Number(layer);
}

function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

function largest(values: readonly number[]): number {
  return values.reduce((max, value) => Math.max(max, value), 0);
}
