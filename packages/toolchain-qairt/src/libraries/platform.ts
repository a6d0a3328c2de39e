/** Whether the libraries can run on this machine at all. */
import { qairtError } from './errors.js';

/** The C library that the wheels were built for. */
const LEAST_GLIBC = [2, 35] as const;

/** The machine as `requirePlatform` sees it. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
  /** Version of glibc; undefined where there is another C library. */
  readonly glibc: string | undefined;
}

function thisMachine(): Machine {
  const { header } = process.report.getReport() as unknown as { readonly header: { readonly glibcVersionRuntime?: string } };
  return { platform: process.platform, arch: process.arch, glibc: header.glibcVersionRuntime };
}

/** @throws QAIRT_PLATFORM, QAIRT_GLIBC_OLD */
export function requirePlatform({ platform, arch, glibc }: Machine = thisMachine()): void {
  if (platform !== 'linux' || arch !== 'x64') throw qairtError('QAIRT_PLATFORM', { what: 'the vendor\'s libraries cannot run on this machine', why: `it is ${platform}-${arch}; they exist for linux-x64`, fix: 'compile on Linux x86_64' });
  if (glibc === undefined) throw qairtError('QAIRT_PLATFORM', { what: 'the vendor\'s libraries cannot run on this machine', why: 'its C library is not glibc', fix: 'use a Linux with glibc 2.35 or later: Debian 12, Ubuntu 22.04' });
  const [major = 0, minor = 0] = glibc.split('.').map(Number);
  if (major > LEAST_GLIBC[0] || (major === LEAST_GLIBC[0] && minor >= LEAST_GLIBC[1])) return;
  throw qairtError('QAIRT_GLIBC_OLD', { what: `the vendor's libraries need glibc ${LEAST_GLIBC.join('.')}, this machine has ${glibc}`, fix: 'use a Linux with glibc 2.35 or later: Debian 12, Ubuntu 22.04' });
}
