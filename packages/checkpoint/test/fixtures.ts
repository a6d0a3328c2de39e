/** Paths of the fixtures inside the repository, and the table of bad input. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface BadCase {
  readonly path: string;
  readonly expect: 'ok' | 'error' | 'warn';
  readonly wrong: string;
}

export function repositoryPath(relative: string): string {
  return fileURLToPath(new URL(`../../../${relative}`, import.meta.url));
}

export function badPath(path: string): string {
  return repositoryPath(`test/fixtures/bad/${path}`);
}

/** The cases of one folder of test/fixtures/bad, by the name of the file or folder. */
export function badCases(folder: string): readonly BadCase[] {
  const cases = JSON.parse(readFileSync(badPath('cases.json'), 'utf8')) as BadCase[];
  return cases.filter(({ path }) => path.startsWith(`${folder}/`)).map((entry) => ({ ...entry, path: entry.path.slice(folder.length + 1) }));
}
