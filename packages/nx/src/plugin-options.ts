/** Options of the plugin entry in nx.json, and how they are read back by hooks and generators. */
import type { NxJsonConfiguration } from '@nx/devkit';
import { printable } from '@tundish/diagnostics';
import { nxError } from './errors.js';

/** Name under which nx.json lists the plugin. */
export const PLUGIN_NAME = '@tundish/nx/plugin';

export interface TundishPluginOptions {
  /** Where model projects are: a path of literal segments and `*`, ending in `project.json`. Default: `DEFAULT_MODELS_GLOB`. */
  readonly modelsGlob?: string;
}

export const DEFAULT_MODELS_GLOB = 'models/*/project.json';

/**
 * The glob of the options, checked.
 *
 * @throws NX_OPTION for anything but literal segments and `*` before `project.json`
 */
export function modelsGlobOf(options: TundishPluginOptions | undefined): string {
  const glob = options?.modelsGlob ?? DEFAULT_MODELS_GLOB;
  const segments = glob.split('/');
  const valid = segments.length > 1 && segments.at(-1) === 'project.json' && segments.slice(0, -1).every((s) => s === '*' || /^[\w@.-]+$/.test(s)) && !segments.includes('..');
  if (!valid) {
    throw nxError('NX_OPTION', {
      what: `modelsGlob ${printable(glob)} is not supported`,
      why: 'it must be folders (literal names or *) followed by project.json',
      evidence: { path: 'nx.json' },
      fix: `write for example "${DEFAULT_MODELS_GLOB}"`,
    });
  }
  return glob;
}

/** The plugin's options as nx.json has them; undefined when the plugin is listed by name only or not at all. */
export function optionsFromNxJson(nxJson: NxJsonConfiguration): TundishPluginOptions | undefined {
  for (const entry of nxJson.plugins ?? []) {
    if (typeof entry === 'object' && entry.plugin === PLUGIN_NAME) return entry.options as TundishPluginOptions | undefined;
  }
  return undefined;
}
