/** What the text of a module refers to: static imports, dynamic ones with a literal name, and files named relative to it. */
import type { ImportSpecifier, parse as Parse } from 'es-module-lexer';
import { stageError } from '../errors.js';

/** `new URL('./worker.js', import.meta.url)`: how a worker thread names its program. */
const URL_BEFORE = /new URL\(\s*(['"])([^'"]+)\1\s*,\s*$/;
const URL_AFTER = /^\.url\s*\)/;

/**
 * Specifiers in the order of the text, each once; of TypeScript too, where type-only exports are passed over.
 *
 * @param path of the module, for messages
 * @throws STAGE_CODE for text that is no module, and for an import whose name is computed
 */
export async function moduleImports(text: string, path: string): Promise<string[]> {
  const { init, parse } = await import('es-module-lexer');
  await init;
  const found = new Set<string>();
  for (const { n: name, d: kind, s: start, e: end } of parsed(parse, text, path)) {
    if (name !== undefined) found.add(name);
    else if (kind >= 0) throw unfollowable(path, 'it imports a module whose name is computed', text.slice(0, start).split('\n').length);
    else {
      const named = URL_BEFORE.exec(text.slice(0, start))?.[2];
      if (named !== undefined && URL_AFTER.test(text.slice(end))) found.add(named);
    }
  }
  return [...found];
}

function parsed(parse: typeof Parse, text: string, path: string): readonly ImportSpecifier[] {
  try {
    return parse(text, path)[0];
  } catch (cause) {
    throw unfollowable(path, 'it is no ECMAScript module', undefined, cause);
  }
}

function unfollowable(path: string, why: string, line: number | undefined, cause?: unknown): Error {
  return stageError('STAGE_CODE', {
    what: 'the imports of a module cannot be followed, so its results could not be told from those of other code',
    why,
    evidence: { path, ...(line === undefined ? {} : { line }) },
    fix: 'name every imported module by a literal',
    cause,
  });
}
