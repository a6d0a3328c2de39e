/** The vendor's libraries that this machine has, found as the product finds them; tests with them are skipped where there are none. */
import { qairtPlaces } from '@tundish/cli/environment';
import { type QairtLibraries, findLibraries } from '@tundish/toolchain-qairt';

/** By a name for test titles; newest first. */
export function realLibraries(): [title: string, libraries: QairtLibraries][] {
  const found = findLibraries(qairtPlaces());
  if (found.length === 0) process.stderr.write('SKIPPED: tests with the vendor\'s compiler (no QAIRT libraries; npx tundish toolchain install qairt --accept-licence)\n');
  return found.map((libraries) => [libraries.installation === undefined ? libraries.origin : `wheel ${libraries.installation.version}`, libraries]);
}
