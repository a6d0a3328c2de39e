/** Generator `init`: makes a workspace ready for models. Running it again changes nothing. */
import { readNxJson, updateNxJson } from '@nx/devkit';
import type { NxJsonConfiguration, Tree } from '@nx/devkit';
import { DEFAULT_MODELS_GLOB, PLUGIN_NAME, modelsGlobOf } from '../../plugin-options.js';

export interface InitGeneratorOptions {
  readonly modelsGlob?: string;
}

/** @throws NX_OPTION for a glob that the plugin would refuse */
export default function initGenerator(tree: Tree, options: InitGeneratorOptions): void {
  const glob = modelsGlobOf(options);
  // updateNxJson leaves a workspace alone that has no nx.json yet.
  if (!tree.exists('nx.json')) tree.write('nx.json', '{}\n');
  updateNxJson(tree, withPlugin(readNxJson(tree) ?? {}, glob));
  const models = glob.replace(/\/project\.json$/, '');
  addLines(tree, '.gitignore', ['node_modules', '.nx/', '.tundish/', `${models}/out/`, `${models}/artifacts/`]);
  // Nx reads every file that git does not ignore; weights enter its hashes through the lock, and notes say nothing to a build.
  addLines(tree, '.nxignore', ['*.safetensors', `${models}/README.md`]);
}

/** Settings that are there already stay as they are. */
function withPlugin(nxJson: NxJsonConfiguration, glob: string): NxJsonConfiguration {
  const plugins = nxJson.plugins ?? [];
  const listed = plugins.some((entry) => (typeof entry === 'string' ? entry : entry.plugin) === PLUGIN_NAME);
  const entry = glob === DEFAULT_MODELS_GLOB ? PLUGIN_NAME : { plugin: PLUGIN_NAME, options: { modelsGlob: glob } };
  const cloud = nxJson.nxCloudId === undefined && nxJson.nxCloudAccessToken === undefined ? { neverConnectToCloud: true } : {};
  return { analytics: false, ...cloud, parallel: 2, ...nxJson, plugins: listed ? plugins : [...plugins, entry] };
}

function addLines(tree: Tree, path: string, lines: readonly string[]): void {
  const text = tree.exists(path) ? (tree.read(path, 'utf8') ?? '') : '';
  const present = new Set(text.split(/\r?\n/).map((line) => line.trim().replace(/\/$/, '')));
  const missing = lines.filter((line) => !present.has(line.replace(/\/$/, '')));
  if (missing.length === 0) return;
  tree.write(path, `${text === '' || text.endsWith('\n') ? text : `${text}\n`}${missing.join('\n')}\n`);
}
