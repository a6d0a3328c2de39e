/** What a container computes, for holding builds against each other. */
import { openContainer } from '@tundish/runtime';
import { toolchainNamed } from '../../cli/src/toolchains.js';
import { materializeContainer } from '../src/index.js';
import type { Workspace } from './workspace.js';

const TOKENS = Int32Array.from([1, 5, 9, 2, 7, 30, 12, 3, 44, 6]);

/** Logits of a few tokens by the container that the workspace has built: [tokens, vocabulary]. */
export async function containerLogits(workspace: Workspace): Promise<Float32Array> {
  const { folder } = await materializeContainer({ workspaceRoot: workspace.root, modelRoot: workspace.model, cacheRoot: workspace.cacheRoot });
  const session = await openContainer(folder, { toolchain: toolchainNamed, threads: 1 });
  try {
    const rows: Float32Array[] = [];
    for await (const row of session.engine.score(TOKENS)) rows.push(row.slice());
    return Float32Array.from(rows.flatMap((row) => [...row]));
  } finally {
    await session.close();
  }
}

/** Norm of the difference relative to the norm of what is expected. */
export function distance(actual: Float32Array, expected: Float32Array): number {
  const norm = (x: Float32Array): number => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  return norm(actual.map((value, i) => value - (expected[i] as number))) / norm(expected);
}
