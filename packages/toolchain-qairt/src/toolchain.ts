/** The vendor's toolchain: its compiler for Hexagon processors, and its emulator as the executor. */
import { LARGEST_BINARY } from '@tundish/recipe/chips';
import type { Toolchain } from '@tundish/toolchain';
import { qairtIdentity } from './identity.js';
import { qairtError } from './libraries/errors.js';
import { type LibraryPlaces, findLibraries, requireLibraries } from './libraries/find.js';

/** What a compiler of a part can multiply with; smaller blocks cost more scales. */
const BLOCK_SIZES = [16, 32, 64, 128];

/** @param places where the libraries may be; nothing is loaded or looked for before it is needed */
export function qairtToolchain(places: () => LibraryPlaces): Toolchain {
  const libraries = (): ReturnType<typeof requireLibraries> => requireLibraries(places());
  return {
    name: 'qairt',
    identity: async () => qairtIdentity(libraries()),
    absent: (version) => (findLibraries(places()).length === 0 ? { name: 'qairt', version, machine: '', operators: '' } : undefined),
    modules: {
      convert: [new URL('./convert/convert.js', import.meta.url)],
      compile: [new URL('./compile/compile-part.js', import.meta.url), new URL('./child/main.js', import.meta.url)],
      package: [new URL('./genie/make-bundle.js', import.meta.url)],
    },
    limits: () => ({ partBytes: LARGEST_BINARY, weightSchemes: ['lpbq', 'per_channel'], blockSizes: BLOCK_SIZES }),
    convert: async ({ signal }, request) => {
      if (signal.aborted) throw qairtError('QAIRT_CANCELLED', { what: 'convert was cancelled', cause: signal.reason });
      return (await import('./convert/convert.js')).convertGraph(request);
    },
    compile: async (context, request) => (await import('./compile/compile-part.js')).compilePart(context, request, libraries()),
    bundle: async (request) => (await import('./genie/make-bundle.js')).makeBundle(request),
    open: async (request) => (await import('./open-part.js')).openPart(request, libraries()),
  };
}
