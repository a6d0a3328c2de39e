/** Graphs as stage files: read from an earlier stage, written with the weight files they refer to. */
import { readFile } from 'node:fs/promises';
import { type Model, type PerTensorEncoding, decodeModel, encodeModel, externalLocations } from '@tundish/graph';
import type { StageManifest } from '@tundish/store';
import { stageError } from './errors.js';
import { MEDIA, type StageFile, type StageInput } from './stage.js';

export const GRAPH_FILE = 'graph.onnx';
export const ACTIVATIONS_FILE = 'activations.json';

/** The graph of an earlier stage. */
export async function readGraph(input: StageInput): Promise<Model> {
  const path = input.path(GRAPH_FILE);
  return decodeModel(await readFile(path), { path });
}

export function graphFile(model: Model, name = GRAPH_FILE): StageFile {
  return { name, mediaType: MEDIA.onnx, bytes: encodeModel(model) };
}

/** A JSON file with sorted keys left as given, two spaces, a final newline. */
export function jsonFile(name: string, data: unknown): StageFile {
  return { name, mediaType: MEDIA.json, bytes: new TextEncoder().encode(`${JSON.stringify(data, null, 2)}\n`) };
}

export async function readJson<T>(input: StageInput, name: string): Promise<T> {
  return JSON.parse(await readFile(input.path(name), 'utf8')) as T;
}

/**
 * The weight files that `model` refers to, described by the stage that the graph comes from: its own outputs and what it
 * in turn referred to. Graph stages hand these on and write no weight byte.
 */
export function externalsOf(model: Model, from: StageManifest): StageManifest['externals'] {
  return [...externalLocations(model)].sort().map((location) => {
    const known = from.outputs.find(({ name }) => name === location) ?? from.externals.find((external) => external.location === location);
    if (known === undefined) {
      throw stageError('STAGE_OUTPUT_UNKNOWN', { what: `the graph refers to ${location}, which ${from.stage} neither made nor named` });
    }
    return { location, sha256: known.sha256, size: known.size };
  });
}

/** Activation encodings as they travel between stages. Parameters travel as tensors of the graph. */
export type ActivationEncodings = ReadonlyMap<string, PerTensorEncoding>;

export function activationsFile(encodings: ActivationEncodings): StageFile {
  return jsonFile(ACTIVATIONS_FILE, Object.fromEntries([...encodings].sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** The activation encodings of an earlier stage; undefined for a floating-point build. */
export async function readActivations(input: StageInput): Promise<ActivationEncodings | undefined> {
  if (!input.manifest.outputs.some(({ name }) => name === ACTIVATIONS_FILE)) return undefined;
  return new Map(Object.entries(await readJson<Record<string, PerTensorEncoding>>(input, ACTIVATIONS_FILE)));
}
