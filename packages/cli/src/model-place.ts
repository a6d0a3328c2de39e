/** Where a model that a verb was given lies in its workspace. */
import { relative, resolve } from 'node:path';

/** A model folder may be given as seen from the workspace. */
export function placeOf(workspace: string, model: string): { readonly workspaceRoot: string; readonly modelRoot: string } {
  const workspaceRoot = resolve(workspace);
  return { workspaceRoot, modelRoot: relative(workspaceRoot, resolve(workspace, model)) };
}
