/** The model that the recipe names in `quantize.source`: its files must be those that the lock pins. */
import { dirname, join } from 'node:path';
import type { Model } from '@tundish/graph';
import { type GivenScales, openGivenModel } from '@tundish/quantize';
import type { SourceOptions } from '@tundish/recipe/lock';
import { type BlobRef, canonicalJson, sha256, sha256File } from '@tundish/store';
import { stageError } from '../errors.js';
import { readJson } from '../graph-files.js';
import { requireInput } from '../inputs.js';
import type { ModelFacts } from '../load/stage.js';
import { MODEL_FILE } from '../stage-files.js';
import type { StageContext, StageRequest } from '../stage.js';

/**
 * @param model the graph that is to be quantized
 * @throws STAGE_SOURCE_CHANGED and the errors of `openGivenModel`
 */
export async function givenScales(context: StageContext, request: StageRequest<unknown>, { source, activations }: SourceOptions, model: Model): Promise<GivenScales> {
  const { encodings, onnx, names = {} } = source;
  const path = context.projectFile(encodings.path);
  const graph = onnx === undefined ? undefined : context.projectFile(onnx.path);
  const pinned: (readonly [name: string, path: string, pin: BlobRef])[] = [['encodings', path, encodings]];
  if (onnx !== undefined && graph !== undefined) {
    pinned.push(['onnx', graph, onnx]);
    for (const [location, pin] of Object.entries(onnx.data)) pinned.push([`onnx/${location}`, join(dirname(graph), location), pin]);
  }
  for (const [, file, pin] of pinned) await requirePinned(file, pin, context.signal);
  const given = await openGivenModel({ model, encodings: path, ...(graph === undefined ? {} : { onnx: graph }), names: new Map(Object.entries(names)), activations: activations !== 'none', reporter: context.reporter });
  const { rope } = await readJson<ModelFacts>(requireInput(request, 'load'), MODEL_FILE);
  return {
    model: given,
    digests: { ...Object.fromEntries(pinned.map(([name, , pin]) => [name, pin.sha256])), names: sha256(canonicalJson(names)) },
    attentionScaling: rope.attentionScaling,
  };
}

async function requirePinned(path: string, pin: BlobRef, signal: AbortSignal): Promise<void> {
  const fix = 'restore the file, or write the lock again: npx nx g @tundish/nx:lock';
  const found = await sha256File(path, signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw stageError('STAGE_SOURCE_CHANGED', { what: 'a file of quantize.source cannot be read', evidence: { path }, fix, cause });
  });
  if (found === pin.sha256) return;
  throw stageError('STAGE_SOURCE_CHANGED', { what: 'a file of quantize.source is not the one that recipe.lock.json pins', why: `its sha256 is ${found.slice(0, 16)}…, the lock says ${pin.sha256.slice(0, 16)}…`, evidence: { path }, fix });
}
