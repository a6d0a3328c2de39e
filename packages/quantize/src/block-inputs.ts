/** What decides the result of a block: the content of all that it reads, so that a change reaches exactly the blocks that see it. */
import { createHash } from 'node:crypto';
import { type Tensor, cloneModel, encodeModel } from '@tundish/graph';
import type { RangeOptions } from '@tundish/recipe/calibration';
import { floatWindows } from '@tundish/recipe/calibration-windows';
import { needsReference } from '@tundish/recipe/technique';
import type { FileResolver } from '@tundish/toolchain';
import type { BlockInputs, JsonValue } from './block-cache.js';
import type { CalibrationInputs } from './calibration/windows.js';
import { isCacheOutput } from './encodings-lint/cache-names.js';
import { findParameters } from './parameters.js';
import type { WeightOptions } from './quantize-parameter.js';
import type { Segment } from './segments.js';
import { schemeOf } from './weight-scheme.js';
import { TensorFiles } from './weight-source.js';

export interface BlockInputsRequest {
  readonly segment: Segment;
  readonly weights: WeightOptions;
  readonly resolve: FileResolver;
  /** Absent when only weights are quantized. */
  readonly calibration?: CalibrationInputs;
  /** sha256 of the live activations that come in, of the quantized and of the float model; absent for the first block. */
  readonly activations?: string;
  readonly reference?: string;
  /** How ranges are chosen; absent where none are measured. */
  readonly ranges?: RangeOptions;
  /** sha256 of the files that scales and weights were given in, which stand in place of a technique. */
  readonly given?: Readonly<Record<string, string>>;
  /** Names of the streams that it leaves: the last block of a model need not leave those that it leaves in a longer one. */
  readonly streams: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * Reads the bytes of each weight, once and in pieces.
 *
 * @throws QUANTIZE_WEIGHTS_CUT, QUANTIZE_UNKNOWN_PARAMETER, the reason of the signal
 */
export function blockInputs(request: BlockInputsRequest): BlockInputs {
  const { segment, calibration, activations, reference, ranges, given, streams } = request;
  return {
    options: {
      ...weightOptions(segment, request.weights, given !== undefined),
      streams,
      ...(calibration === undefined ? {} : { windows: calibration.windows.length, ranges: rangeOptions(segment, ranges), ...(segment.output === 'logits' ? {} : { reference: needsReference(request.weights.technique) && floatWindows(request.weights.technique, calibration.windows.length) }) }),
    },
    digests: {
      graph: graphDigest(segment),
      ...weightDigests(request),
      ...(calibration === undefined ? {} : feedDigests(segment, calibration)),
      ...(activations === undefined ? {} : { activations }),
      ...(reference === undefined ? {} : { reference }),
      ...Object.fromEntries(Object.entries(given ?? {}).map(([name, digest]) => [`given/${name}`, digest])),
    },
  };
}

/** The options that a role in this block reads; the scheme of each of its own projections, and of no other. */
function weightOptions(segment: Segment, { schemes, embeddingBits, technique, mixedPrecision }: WeightOptions, given: boolean): BlockInputs['options'] {
  const parameters = findParameters(segment.model.graph);
  const projections = given || segment.output === 'logits' ? [] : parameters.filter(({ role }) => role === 'projection');
  return {
    ...(parameters.some(({ role }) => role === 'embedding') ? { embeddingBits } : {}),
    ...(projections.length === 0 ? {} : { schemes: Object.fromEntries(projections.map(({ name }) => [name, { ...schemeOf(schemes, name) }])), technique: { ...technique }, ...(mixedPrecision === undefined ? {} : { sensitivity: true }) }),
  };
}

/** What this block reads of them: the bits of the cache where it has one. */
function rangeOptions({ model }: Segment, ranges: RangeOptions | undefined): JsonValue {
  if (ranges === undefined) return false;
  const hasCache = model.graph.values.some(({ name }) => isCacheOutput(name));
  return { observer: ranges.observer, ...(hasCache ? { cache: { ...ranges.cache } } : {}) };
}

/** The graph without the places of its weights: names, structure, shapes and small constants. */
function graphDigest({ model }: Segment): string {
  const placeless = cloneModel(model);
  for (const { value, tensor } of externalTensors(placeless)) value.tensor = { ...tensor, location: 'weights', offset: 0 };
  return sha256(encodeModel(placeless));
}

function weightDigests({ segment, resolve, signal }: BlockInputsRequest): Record<string, string> {
  const files = new TensorFiles(resolve);
  try {
    return Object.fromEntries(externalTensors(segment.model).map(({ value, tensor }) => {
      const hash = createHash('sha256');
      for (const piece of files.pieces(tensor)) {
        signal.throwIfAborted();
        hash.update(piece);
      }
      return [`weight/${value.name}`, hash.digest('hex')];
    }));
  } finally {
    files.close();
  }
}

/** Tokens and rope tables, where the block reads them; the mask follows from the shapes. */
function feedDigests({ model }: Segment, { windows, cos, sin }: CalibrationInputs): Record<string, string> {
  const feeds: Readonly<Record<string, readonly (Int32Array | Float32Array)[]>> = { input_ids: windows, position_ids_cos: [cos], position_ids_sin: [sin] };
  return Object.fromEntries(model.graph.inputs.flatMap(({ name }) => {
    const data = feeds[name];
    return data === undefined ? [] : [[`input/${name}`, sha256(...data.map((array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)))]];
  }));
}

function externalTensors({ graph }: Segment['model']): { value: { name: string; tensor: Tensor | undefined }; tensor: Tensor & { kind: 'external' } }[] {
  return graph.initializers.flatMap((value) => (value.tensor?.kind === 'external' ? [{ value, tensor: value.tensor }] : []));
}

function sha256(...pieces: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}
