/** A model that was quantized elsewhere: an encodings file, perhaps with the ONNX file that it was made for, held against the pipeline's graph. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Reporter, messageOf, printable } from '@tundish/diagnostics';
import { type Graph, type Model, type Node, type PerTensorEncoding, decodeModel } from '@tundish/graph';
import type { TensorEncoding } from '../encodings-formats/document.js';
import { readEncodingsFile } from '../encodings-formats/read-encodings.js';
import { quantizeError } from '../errors.js';
import { quantizedKey } from '../graph-form.js';
import { findParameters } from '../parameters.js';
import { Entries } from './entries.js';
import { type GivenActivations, givenActivations } from './given-activations.js';
import { type GivenGrid, gridOf } from './given-grid.js';
import { type GivenParameter, givenParameters } from './given-parameter.js';
import { type Wanted, matchWeights, wantedKey } from './match-weights.js';
import { matchActivations, placedNames } from './match-activations.js';
import { type StoredLayout, storedLayout } from './stored-source.js';
import type { StoredWeight } from './stored-weights.js';

export interface GivenModelRequest {
  /** The pipeline's graph in floating point. */
  readonly model: Model;
  /** Path of the encodings file. */
  readonly encodings: string;
  /** Path of the ONNX file; its data lie beside it. */
  readonly onnx?: string;
  /** Their names to ours, for what is not found by itself. */
  readonly names: ReadonlyMap<string, string>;
  /** Whether encodings of activations are taken too; those of weights are in any case. */
  readonly activations: boolean;
  readonly reporter: Reporter;
}

export interface GivenModel {
  /** By `quantizedKey`; none for what the pipeline quantizes by its own rules. */
  readonly grids: ReadonlyMap<string, GivenGrid>;
  /** Weights of the ONNX file, by `quantizedKey`; empty without one. */
  readonly stored: ReadonlyMap<string, StoredLayout>;
  /** Path of a data file of the ONNX file. */
  resolve(location: string): string;
  readonly activations: ReadonlyMap<string, PerTensorEncoding>;
  readonly report: GivenReport;
}

/** What was taken from where, for people. */
export interface GivenReport {
  /** Parameters without an encoding in the file: embeddings and norm gains, quantized by minimum and maximum. */
  readonly derived: readonly string[];
  /** Our activations, and the names in the file that their encodings have. */
  readonly activations: Readonly<Record<string, string>>;
  /** Sums of attention scores and mask that get the grid of the pipeline's rule: that of the file does not hold them. */
  readonly refitted: readonly string[];
  /** Activations that the file says nothing of, and that rules do not give either. */
  readonly missing: readonly string[];
  /** Names in the file that nothing asked for. */
  readonly unread: readonly string[];
}

const NO_ACTIVATIONS: GivenActivations = { encodings: new Map(), taken: new Map(), refitted: [], missing: [] };

/**
 * Reads both files and finds the counterpart of every parameter and activation; reads no weight.
 *
 * @throws ENCODINGS_*, ONNX_*, QUANTIZE_SOURCE_UNREADABLE, QUANTIZE_SOURCE_NAMES, QUANTIZE_SOURCE_WEIGHT, QUANTIZE_SOURCE_ENCODING, QUANTIZE_SOURCE_FORM
 */
export async function openGivenModel({ model: { graph }, encodings, onnx, names, activations: wanted, reporter }: GivenModelRequest): Promise<GivenModel> {
  const file = onnx === undefined ? undefined : await readOnnx(onnx, reporter);
  const document = await readEncodingsFile(encodings, file === undefined ? {} : { graph: file });
  const entries = new Entries(document);
  const [parameters, biases] = [givenParameters(graph), file === undefined ? [] : biasesOf(graph)];
  checkNames(names, new Set([...[...parameters, ...biases].map(({ name }) => name), ...placedNames(graph)]), file, document.entries);
  const found = file === undefined ? undefined : matchWeights([...parameters, ...biases], file, names);
  const stored = new Map<string, StoredLayout>();
  if (file !== undefined && found !== undefined) {
    for (const parameter of [...parameters, ...biases]) stored.set(parameter.key, storedLayout({ ...parameter, graph: file, value: (found.get(wantedKey(parameter)) as StoredWeight).value }));
  }
  const grids = new Map<string, GivenGrid>();
  for (const parameter of parameters) {
    const encoding = encodingOf(parameter, entries, found?.get(wantedKey(parameter)), names);
    if (encoding !== undefined) grids.set(parameter.key, gridOf(parameter, encoding));
  }
  const theirs = file === undefined || found === undefined ? undefined : { graph: file, layers: layersOf(parameters, (parameter) => found.get(wantedKey(parameter))?.reader) };
  const ours = { graph, layers: layersOf(parameters, ({ parameter }) => parameter.consumers[0]) };
  const activations = wanted ? givenActivations(graph, entries, matchActivations({ ours, theirs, entries: entries.names('activation'), names })) : NO_ACTIVATIONS;
  return {
    grids,
    stored,
    resolve: (location) => join(dirname(onnx ?? ''), location),
    activations: activations.encodings,
    report: {
      derived: parameters.filter(({ key }) => !grids.has(key)).map(({ name }) => name),
      activations: Object.fromEntries(activations.taken),
      refitted: activations.refitted,
      missing: activations.missing,
      unread: entries.unread(),
    },
  };
}

async function readOnnx(path: string, reporter: Reporter): Promise<Graph> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw quantizeError('QUANTIZE_SOURCE_UNREADABLE', { what: `the ONNX file cannot be read: ${printable(messageOf(cause))}`, evidence: { path }, fix: 'put it there, or correct quantize.source.onnx', cause });
  });
  return decodeModel(bytes, { path, declaredShapes: true, checkExternal: dirname(path), reporter }).graph;
}

type Bias = Wanted & { readonly key: string; readonly rows: number; readonly columns: number };

function biasesOf(graph: Graph): Bias[] {
  return findParameters(graph).filter(({ role }) => role === 'bias').map((parameter) => ({ name: parameter.name, kind: 'bias', key: quantizedKey(parameter), rows: 1, columns: Number(parameter.root.shape?.at(-1) ?? 1) }));
}

function layersOf(parameters: readonly GivenParameter[], nodeOf: (parameter: GivenParameter) => Node | undefined): Map<string, Node> {
  const layers = parameters.filter(({ kind }) => kind === 'projection' || kind === 'head');
  return new Map(layers.flatMap((parameter) => {
    const node = nodeOf(parameter);
    return node === undefined ? [] : [[parameter.name, node] as const];
  }));
}

/** Tables and gains may go without; the weights of products are what the file is there for. */
function encodingOf(parameter: GivenParameter, entries: Entries, stored: StoredWeight | undefined, names: ReadonlyMap<string, string>): TensorEncoding | undefined {
  const { name, kind } = parameter;
  // A head that shares the table has an entry of its own where its codes are its own.
  const untied = kind === 'head' ? entries.of('parameter', name) : undefined;
  const own = untied ?? (stored === undefined ? entries.like('parameter', name, names) : entries.of('parameter', stored.value.name));
  if (kind === 'embedding') {
    // Of a table that the head shares, the entry may be the head's; AIMET keeps that of the rows among the activations.
    const rows = [own, entries.of('activation', stored?.value.name ?? name), entries.of('activation', (stored?.reader ?? parameter.parameter.consumers[0])?.output().name ?? '')];
    return rows.find((encoding) => encoding?.kind === 'per-tensor');
  }
  if (own !== undefined || kind === 'gain') return own;
  throw quantizeError('QUANTIZE_SOURCE_ENCODING', {
    what: `${printable(name)}${stored === undefined || stored.value.name === name ? '' : `, in the ONNX file ${printable(stored.value.name)},`} has no encoding`,
    why: stored === undefined ? 'no name in the file is that of the weight' : 'it would stay in floating point',
    fix: stored === undefined ? 'name the ONNX file that the encodings were made for in quantize.source.onnx, or say which is which in quantize.source.names' : 'export the encodings of all weights',
  });
}

/** A name that nothing would look up must not look as if it did something. */
function checkNames(names: ReadonlyMap<string, string>, ours: ReadonlySet<string>, theirs: Graph | undefined, entries: readonly { readonly name: string }[]): void {
  const known = new Set(entries.map(({ name }) => name));
  for (const [their, our] of names) {
    if (!known.has(their) && theirs?.find(their) === undefined) throw quantizeError('QUANTIZE_SOURCE_NAMES', { what: `${printable(their)} is in neither file`, why: 'the left side of quantize.source.names is a name of the encodings or of the ONNX file', fix: 'correct or remove it' });
    if (ours.has(our)) continue;
    throw quantizeError('QUANTIZE_SOURCE_NAMES', { what: `${printable(our)} has no encoding of its own in the model`, why: 'the right side of quantize.source.names is a parameter, or a value that is computed, of the graph that the stage optimize made', fix: 'look it up: npx tundish inspect MODEL:optimize' });
  }
}
