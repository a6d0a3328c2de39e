/** Runs a graph with ONNX Runtime on the weight files of a checkpoint folder, which it may not refer to from elsewhere. */
import { copyFile, link, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type Model, encodeModel, externalLocations } from '@tundish/graph';
import { InferenceSession, Tensor } from 'onnxruntime-node';

export type Feeds = Readonly<Record<string, { readonly dims: readonly number[]; readonly data: Float32Array | Int32Array }>>;
export type Results = Readonly<Record<string, Float32Array>>;

/** @param folders hold the weight files, by name */
export async function runModel(model: Model, folders: readonly string[], feeds: Feeds): Promise<Results> {
  const session = await openModel(model, folders);
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

export interface OpenedSession {
  run(feeds: Feeds): Promise<Results>;
  close(): Promise<void>;
}

export async function openModel(model: Model, folders: readonly string[]): Promise<OpenedSession> {
  const place = await mkdtemp(join(tmpdir(), 'tundish-ort-'));
  for (const location of externalLocations(model)) await placeFile(folders, location, place);
  await writeFile(join(place, 'graph.onnx'), encodeModel(model));
  const session = await InferenceSession.create(join(place, 'graph.onnx'), { intraOpNumThreads: 1, interOpNumThreads: 1, graphOptimizationLevel: 'basic' });
  return {
    run: async (feeds) => {
      const inputs = Object.fromEntries(session.inputNames.map((name) => [name, tensorOf(name, feeds)]));
      const outputs = await session.run(inputs);
      return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.data as Float32Array]));
    },
    close: async () => {
      await session.release();
      await rm(place, { recursive: true });
    },
  };
}

function tensorOf(name: string, feeds: Feeds): Tensor {
  const feed = feeds[name];
  if (feed === undefined) throw new Error(`the test feeds no ${name}`);
  return feed.data instanceof Int32Array ? new Tensor('int32', feed.data, feed.dims) : new Tensor('float32', feed.data, feed.dims);
}

async function placeFile(folders: readonly string[], location: string, place: string): Promise<void> {
  for (const folder of folders) {
    const source = join(folder, basename(location));
    const placed = await link(source, join(place, location)).then(() => true, () => copyFile(source, join(place, location)).then(() => true, () => false));
    if (placed) return;
  }
  throw new Error(`no folder holds ${location}`);
}
