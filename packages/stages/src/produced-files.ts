/** Files that a toolchain returned, as files of a stage. */
import type { StageManifest } from '@tundish/store';
import type { ProducedFile } from '@tundish/toolchain';
import { stageError } from './errors.js';
import { MEDIA, type StageFile } from './stage.js';

/** @param externals weight files that the stage's inputs refer to: those that the toolchain hands on stay the blobs that they are */
export function producedFiles(files: readonly ProducedFile[], externals: StageManifest['externals']): StageFile[] {
  return files.map(({ name, content }) => {
    const mediaType = name.endsWith('.onnx') ? MEDIA.onnx : MEDIA.weights;
    if (!('location' in content)) return { name, mediaType, ...content };
    const from = externals.find(({ location }) => location === content.location);
    if (from === undefined) throw stageError('STAGE_OUTPUT_UNKNOWN', { what: `no converted graph refers to a file ${content.location}` });
    return { name, mediaType, from: { sha256: from.sha256, size: from.size } };
  });
}
