/** The vendor's libraries that this machine has, found as the product finds them; tests with them are skipped where there are none. */
import { qairtPlaces } from '@tundish/cli/environment';
import { type QairtLibraries, findLibraries } from '@tundish/toolchain-qairt';
import { describe, it } from 'vitest';

type TitledLibraries = [title: string, libraries: QairtLibraries];

/** By a name for test titles; newest first. */
export function realLibraries(): TitledLibraries[] {
  const found = findLibraries(qairtPlaces());
  if (found.length === 0) process.stderr.write('SKIPPED: tests with the vendor\'s compiler (no QAIRT libraries; npx tundish toolchain install qairt --accept-licence)\n');
  return found.map((libraries) => [libraries.installation === undefined ? libraries.origin : `wheel ${libraries.installation.version}`, libraries]);
}

/**
 * A suite with each of these libraries. Where there are none one skipped test says so: a file without any test fails, and the body of
 * a skipped suite would run without libraries.
 *
 * @param title with %s for the title of the libraries
 */
export function describeWith(real: readonly TitledLibraries[], title: string, suite: (...of: TitledLibraries) => void): void {
  if (real.length === 0) it.skip(title.replace('%s', 'the vendor\'s libraries'), () => undefined);
  else describe.each(real)(title, suite);
}
