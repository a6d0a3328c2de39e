/** Which files of its inputs a stage reads, so that a run on a fresh machine does not fetch gigabytes that it only hands on. */
import type { StageName } from '@tundish/recipe/lock';
import type { StageExternal, StageManifest, StageOutput } from '@tundish/store';
import { MEDIA } from './stage.js';

/** Stages that work on graphs and hand weights on by their digests. Not convert: it reads the scales, which lie among the codes. */
const HAND_WEIGHTS_ON: readonly string[] = ['optimize', 'arcl', 'transform', 'package'] satisfies StageName[];
/** What quantize says to other programs; no stage behind it reads it. */
const ENCODINGS = /^encodings-[\d.]+\.json$/;

/** A file that a manifest names: made by its stage, or referred to. */
export type NamedFile = StageOutput | StageExternal;

/** All files that a manifest names; those of the checkpoint among them. */
export function namedFiles({ outputs, externals }: StageManifest): readonly NamedFile[] {
  return [...outputs, ...externals];
}

/** Files that a stage of this name may read of an input. */
export function neededFiles(stage: string, manifest: StageManifest): readonly NamedFile[] {
  if (!HAND_WEIGHTS_ON.includes(stage)) return namedFiles(manifest);
  return manifest.outputs.filter(({ name, mediaType }) => mediaType !== MEDIA.weights && !ENCODINGS.test(name) && (stage !== 'package' || mediaType === MEDIA.json));
}
