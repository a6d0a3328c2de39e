/** From what a library said to an error of ours: codes, and the lines of the log that tell two causes of one code apart. */
import { type ErrorFacts, type TundishError, printable } from '@tundish/diagnostics';
import type { QnnGraphMemory } from '@tundish/native/qnn';
import { qairtError } from '../libraries/errors.js';
import { dialogError } from './dialog-failure.js';
import type { CallFailure, Said } from './protocol.js';

type Code = Parameters<typeof qairtError>[0];
type Meaning = readonly [code: Code, facts: Partial<ErrorFacts>];

/** Lines of the log that an error shows. */
const SHOWN_LINES = 12;

/** Said of every graph by build 2.51, and harmless. */
const HARMLESS = /unexpected GraphHtpSettings option 66/;

/** @param subject what was worked on, for people: a file, a graph */
export function failureError(failure: CallFailure, said: Said, subject: string | undefined): TundishError {
  if (failure.call.startsWith('Genie') && failure.result !== 0) return dialogError(failure, said, subject);
  const errors = said.log.filter(({ level, text }) => level === 1 && !HARMLESS.test(text)).map(({ text }) => text.trim());
  const [code, facts] = meaningOf(failure, errors);
  const message = printable(failure.message, 400);
  return qairtError(code, {
    what: `${failure.call} failed${subject === undefined ? '' : ` on ${printable(subject)}`}`,
    why: failure.result === 0 ? message : `code ${failure.result}${message === '' ? '' : `, ${message}`}`,
    ...facts,
    evidence: { ...(failure.result === 0 ? {} : { detail: `${failure.call} gave ${failure.result}` }), ...(errors.length === 0 ? {} : { stderr: [...new Set(errors)].slice(-SHOWN_LINES).map((line) => printable(line, 300)) }) },
  });
}

function meaningOf(failure: CallFailure, errors: readonly string[]): Meaning {
  return failure.result === 0 ? meaningWithoutCode(failure) : meaningOfCode(failure, errors);
}

/** The library was not asked, or could not be. */
function meaningWithoutCode({ call, message }: CallFailure): Meaning {
  if (call === 'addon') return ['QAIRT_ADDON_MISSING', { what: 'the addon that calls the vendor\'s libraries cannot be used', fix: 'build it with `node native/build.mjs` on Linux x86_64' }];
  if (call === 'load') return meaningOfLoading(message);
  if (call === 'version') return ['QAIRT_BUILD_UNSUPPORTED', { what: 'the libraries are of a build whose interface is not known', fix: 'install one that is: npx tundish toolchain install qairt --accept-licence' }];
  if (call === 'providers') return ['QAIRT_LIBRARY_INVALID', {}];
  if (call === 'read') return ['QAIRT_BINARY_DAMAGED', { fix: 'make it anew' }];
  if (/No space left/.test(message)) return ['QAIRT_DISK_FULL', { fix: 'make room and build again' }];
  if (['open', 'map', 'create', 'write'].includes(call)) return ['QAIRT_FILE', {}];
  if (call === 'arguments') return ['QAIRT_ARGUMENT', {}];
  return ['QAIRT_CHILD_PROTOCOL', {}];
}

function meaningOfLoading(message: string): Meaning {
  const glibc = /version `(GLIBC_[\d.]+)' not found/.exec(message);
  if (glibc !== null) return ['QAIRT_GLIBC_OLD', { what: `the vendor's libraries need ${glibc[1]}, which this machine does not have`, fix: 'use a Linux with glibc 2.35 or later: Debian 12, Ubuntu 22.04' }];
  if (/cannot open shared object file/.test(message)) return ['QAIRT_LIBRARY_MISSING', { what: 'a library of the vendor is not there', fix: 'npx tundish toolchain install qairt --accept-licence' }];
  return ['QAIRT_LIBRARY_INVALID', { what: 'a file is not the library that it should be', fix: 'install the libraries anew: npx tundish toolchain install qairt --accept-licence' }];
}

function meaningOfCode({ call, result }: CallFailure, errors: readonly string[]): Meaning {
  const says = (pattern: RegExp): boolean => errors.some((line) => pattern.test(line));
  if (call === 'dlcComposeGraphs') return ['QAIRT_DLC_FORM', { fix: 'read containers of QAIRT 2 and later with these libraries, older ones with their own tools' }];
  if (result === 1002) {
    const refused = refusedOperations(errors);
    if (refused.nodes.length + refused.kernels.length > 0) return unsupported(refused);
    return ['QAIRT_MEMORY', { why: 'the library ran out of memory', fix: 'give the machine more memory, or cut the model into more parts' }];
  }
  if (result === 3110 || result === 6005) return unsupported(refusedOperations(errors));
  if (result === 14001) return ['QAIRT_CHIP_REFUSED', { what: 'the compiler does not know the chip', fix: 'name a chip that this build of the libraries supports' }];
  if (result === 5000 && says(/newer context binary/)) return ['QAIRT_BINARY_NEWER', { why: 'it was made by a newer build than these libraries are', fix: 'install a newer version: npx tundish toolchain install qairt --accept-licence' }];
  if (result === 1000 && says(/[Ss]hared weights/)) return ['QAIRT_BINARY_SHARED', SHARED];
  if (call === 'contextCreateFromBinary' || call.startsWith('systemContext')) {
    if (result >= 30_000 && result < 31_000) return ['QAIRT_BINARY_DAMAGED', { why: `it is cut short, damaged, or no context binary (code ${result})`, fix: 'make it anew' }];
  }
  if (call === 'graphFinalize' && says(/Serialization of graph .* failed/)) return ['QAIRT_FILE', { why: 'the library could not write it: mostly the disk is full', fix: 'make room and write it again' }];
  return ['QAIRT_CALL_FAILED', {}];
}

const SHARED = { why: 'its graphs share their weights, which only a device can load', fix: 'run the model in the emulator, which builds what can be loaded: npx nx run MODEL:generate --on emulator' };

/** Known before a library is asked, which may end the process over it. @throws QAIRT_BINARY_SHARED */
export function requireUnshared(graphs: readonly { readonly memory?: QnnGraphMemory | null }[], path: string): void {
  if (graphs.some(({ memory }) => (memory?.sharedWeightBytes ?? 0) > 0)) throw qairtError('QAIRT_BINARY_SHARED', { what: 'the binary cannot be executed on this machine', ...SHARED, evidence: { path } });
}

function unsupported({ nodes, kernels }: Refused): Meaning {
  const listed = (names: readonly string[]): string => names.slice(0, 5).map((name) => printable(name)).join(', ');
  return ['QAIRT_OPERATION_UNSUPPORTED', {
    what: `the compiler cannot make ${nodes.length === 0 ? 'an operation' : listed(nodes)} for this chip`,
    ...(kernels.length === 0 ? {} : { why: `it has no ${listed(kernels)}` }),
    fix: 'change its encoding, its shape or the chip; docs/toolchain-qairt.md says how to find out more',
  }];
}

/** What the log names: nodes of the graph, and the library's own kernels that would have been needed. */
interface Refused {
  readonly nodes: readonly string[];
  readonly kernels: readonly string[];
}

function refusedOperations(errors: readonly string[]): Refused {
  const named = (pattern: RegExp): string[] => [...new Set(errors.flatMap((line) => [...line.matchAll(pattern)].map(([, name]) => name as string)))];
  return { nodes: named(/"([^"]+)" generated: could not create op/g), kernels: [...named(/no properties registered for (\S+)/g), ...named(/could not create op: (\S+)/g)] };
}
