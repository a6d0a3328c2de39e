/** Fetches the wheel with pip, which knows the index, the proxies and the certificates of this machine. */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { OutputTail } from '../child/output-tail.js';
import { qairtError } from './errors.js';

export interface DownloadRequest {
  /** Version of `onnxruntime-qnn`. */
  readonly version: string;
  /** An empty folder. */
  readonly folder: string;
  /** Command line of pip; each in turn until one is there. */
  readonly pip?: readonly (readonly [command: string, ...words: string[]])[];
  readonly signal: AbortSignal;
}

const PIP: NonNullable<DownloadRequest['pip']> = [['python3', '-m', 'pip'], ['pip3'], ['pip']];

/** The libraries do not depend on the Python that a wheel is for; one is named, so that every machine fetches the same file. */
const WHEEL_OPTIONS = ['--no-deps', '--only-binary=:all:', '--python-version', '3.12', '--platform', 'manylinux_2_35_x86_64'];

const SHOWN_LINES = 12;
const MISSING = /No module named '?pip|ENOENT/;
const OFFLINE = /NameResolution|name resolution|Failed to establish a new connection|Network is unreachable|Connection (refused|reset)|timed out|Max retries/i;

/** @returns path of the wheel @throws QAIRT_PIP_MISSING, QAIRT_DOWNLOAD, QAIRT_DISK_FULL, QAIRT_CANCELLED */
export async function downloadWheel({ version, folder, pip = PIP, signal }: DownloadRequest): Promise<string> {
  const words = ['download', '--disable-pip-version-check', '--no-input', ...WHEEL_OPTIONS, '--dest', folder, `onnxruntime-qnn==${version}`];
  for (const [command, ...first] of pip) {
    const { code, lines } = await run(command, [...first, ...words], signal);
    if (code === 0) return downloadedWheel(folder);
    if (!lines.some((line) => MISSING.test(line))) throw downloadError(`${command} ${[...first, ...words].join(' ')}`, code, lines);
  }
  throw qairtError('QAIRT_PIP_MISSING', { what: 'pip is not installed', why: `none of ${pip.map((command) => command.join(' ')).join(', ')} can be run`, fix: 'install pip, or fetch the wheel elsewhere and give it: --wheel FILE' });
}

function run(command: string, words: readonly string[], signal: AbortSignal): Promise<{ readonly code: number | null; readonly lines: string[] }> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(cancelled(signal));
    const tail = new OutputTail();
    const process = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' });
    for (const stream of [process.stdout, process.stderr]) stream.setEncoding('utf8').on('data', (text: string) => tail.add(text));
    process.once('error', (error) => tail.add(`${error.message}\n`));
    process.once('close', (code) => (signal.aborted ? reject(cancelled(signal)) : resolve({ code, lines: tail.lines(SHOWN_LINES) })));
  });
}

function cancelled(signal: AbortSignal): Error {
  return qairtError('QAIRT_CANCELLED', { what: 'the download was cancelled', cause: signal.reason });
}

function downloadedWheel(folder: string): string {
  const [wheel] = readdirSync(folder).filter((name) => name.endsWith('.whl'));
  if (wheel === undefined) throw qairtError('QAIRT_DOWNLOAD', { what: 'pip fetched no wheel', evidence: { path: folder } });
  return join(folder, wheel);
}

function downloadError(command: string, code: number | null, lines: readonly string[]): Error {
  const says = (pattern: RegExp): boolean => lines.some((line) => pattern.test(line));
  if (says(/No space left on device/)) return qairtError('QAIRT_DISK_FULL', { what: 'the disk has no room for the wheel', evidence: { command, stderr: lines }, fix: 'make room: the wheel and its libraries take 500 MB' });
  const offline = says(OFFLINE);
  return qairtError('QAIRT_DOWNLOAD', {
    what: 'the wheel with the libraries cannot be fetched',
    why: offline ? 'the package index cannot be reached' : `pip ended with ${code}`,
    evidence: { command, stderr: lines },
    fix: offline ? 'connect the machine, or fetch the wheel elsewhere and give it: --wheel FILE' : 'run the command to see more, or fetch the wheel elsewhere and give it: --wheel FILE',
  });
}
