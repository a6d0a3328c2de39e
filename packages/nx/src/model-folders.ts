/** Finds the model projects of a workspace: folders with project.json and recipe.yaml. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export const RECIPE_FILE = 'recipe.yaml';
export const LOCK_FILE = 'recipe.lock.json';

/** One model project. */
export interface ModelFolder {
  /** Folder relative to the workspace, with forward slashes: `models/llama32`. */
  readonly root: string;
  /** The Nx project name: `name` of project.json, else the folder's own name. */
  readonly name: string;
}

/** True when a workspace-relative path of a project.json matches `modelsGlob`, in which `*` stands for one folder name. */
export function matchesModelsGlob(path: string, glob: string): boolean {
  const wanted = glob.split('/');
  const given = path.split('/');
  return wanted.length === given.length && wanted.every((segment, i) => segment === '*' || segment === given[i]);
}

/** The model project of a project.json, or undefined when no recipe lies beside it. */
export function modelFolder(workspaceRoot: string, projectFile: string): ModelFolder | undefined {
  const root = dirname(projectFile);
  if (!existsSync(join(workspaceRoot, root, RECIPE_FILE))) return undefined;
  const name = readProjectJson(join(workspaceRoot, projectFile))?.name;
  return { root, name: typeof name === 'string' && name !== '' ? name : basename(root) };
}

/** All model projects of the workspace, sorted by folder. */
export function findModelFolders(workspaceRoot: string, glob: string): ModelFolder[] {
  let folders = [''];
  for (const segment of glob.split('/').slice(0, -1)) {
    folders = folders.flatMap((folder) => (segment === '*' ? subfolders(workspaceRoot, folder) : [folder === '' ? segment : `${folder}/${segment}`]));
  }
  return folders
    .sort()
    .filter((folder) => existsSync(join(workspaceRoot, folder, 'project.json')))
    .map((folder) => modelFolder(workspaceRoot, `${folder}/project.json`))
    .filter((model) => model !== undefined);
}

function subfolders(workspaceRoot: string, folder: string): string[] {
  const path = join(workspaceRoot, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules' && !entry.name.startsWith('.'))
    .map((entry) => (folder === '' ? entry.name : `${folder}/${entry.name}`));
}

/** The parts of a project.json that the plugin looks at. */
interface ProjectJson {
  readonly name?: unknown;
  readonly targets?: Readonly<Record<string, unknown>>;
}

/** Nx reports a broken project.json by itself, so trouble here only means that nothing is known about it. */
export function readProjectJson(path: string): ProjectJson | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}
