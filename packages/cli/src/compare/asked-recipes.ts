/** What `--recipes` names: chains of techniques, and files of other recipes. */
import { resolve } from 'node:path';
import { printable } from '@tundish/diagnostics';
import { nearestName } from '@tundish/recipe';
import { QUANTIZE_RECIPES, type QuantizeRecipeName } from '@tundish/recipe/technique';
import type { ResolveLockRequest } from '@tundish/stages';
import { cliError } from '../errors.js';

/** One recipe to compare: its name, and how its lock differs from the model's. */
export interface AskedRecipe extends Pick<ResolveLockRequest, 'chain' | 'recipePath'> {
  readonly name: string;
}

const CHAINS = Object.keys(QUANTIZE_RECIPES);

/** @param words names of chains, `NAME=FILE` for a recipe of one's own @throws CLI_USAGE */
export function askedRecipes(words: readonly string[]): AskedRecipe[] {
  if (words.every((word) => word === '')) throw cliError('CLI_USAGE', { what: 'no recipe is named', fix: `name at least one: --recipes ${CHAINS.slice(0, 2).join(',')}` });
  const asked = words.map(askedRecipe);
  const twice = asked.find(({ name }, i) => asked.findIndex((other) => other.name === name) !== i);
  if (twice === undefined) return asked;
  throw cliError('CLI_USAGE', { what: `--recipes names ${twice.name} twice`, fix: 'name each once' });
}

function askedRecipe(word: string): AskedRecipe {
  const [name = '', ...path] = word.split('=');
  if (path.length > 0) return fileRecipe(name, path.join('='));
  if (isChain(word)) return { name: word, chain: word };
  const near = nearestName(word, CHAINS);
  throw cliError('CLI_USAGE', {
    what: `no recipe is called ${printable(word, 80)}`,
    fix: near === undefined ? `name some of ${CHAINS.join(', ')}, or NAME=FILE` : `did you mean ${near}? There are ${CHAINS.join(', ')}, and NAME=FILE`,
  });
}

function fileRecipe(name: string, path: string): AskedRecipe {
  if (isChain(name)) throw cliError('CLI_USAGE', { what: `${name} is a recipe of Tundish, a file cannot have its name`, fix: `write another name before =${printable(path, 80)}` });
  if (!/^[\w.-]{1,40}$/.test(name) || path === '') throw cliError('CLI_USAGE', { what: `${printable(`${name}=${path}`, 80)} does not name a recipe file`, fix: 'write NAME=FILE, the name in letters, digits, dots and dashes, 40 at most' });
  return { name, recipePath: resolve(path) };
}

function isChain(word: string): word is QuantizeRecipeName {
  return CHAINS.includes(word);
}
