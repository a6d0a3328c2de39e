/** The `tundish-cache` command: verbs, options, help, exit codes. */
import { TundishError } from '@tundish/diagnostics';
import { Command, CommanderError, Option } from 'commander';
import { byteCount, count, port, seconds } from './commands/option-values.js';
import { type PurgeFlags, purgeCommand } from './commands/purge.js';
import { type ServeFlags, serveCommand } from './commands/serve.js';
import { type TokenFlags, tokenCommand } from './commands/token.js';
import { type Io, processIo } from './io.js';
import { SCOPES, TRUSTS } from './tokens/token-file.js';

const EXIT = { ok: 0, usage: 2, failed: 3 } as const;

const EXAMPLES = `
Examples:
  npx tundish-cache --dir cache                                            for this machine, without tokens
  npx tundish-cache token --name ci-main --scope read-write --trust trusted
  npx tundish-cache --dir cache --host 0.0.0.0 --tokens tokens.json --quota 200GB
  npx tundish-cache purge --dir cache --writer ci-pr

SIGHUP reads the tokens again, SIGTERM and SIGINT end the server.
Exit codes: 0 success, 2 wrong usage, 3 failure.`;

/** Runs one command line. @param words what follows `tundish-cache` */
export async function main(words: readonly string[], io: Io = processIo): Promise<number> {
  try {
    await describeProgram(io).parseAsync([...words], { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    io.err(`${error instanceof TundishError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return error instanceof TundishError && error.code === 'CACHE_USAGE' ? EXIT.usage : EXIT.failed;
  }
}

function describeProgram(io: Io): Command {
  const program = new Command('tundish-cache')
    .description('Serves a cache that machines share: blobs and results of Tundish, and the remote cache of Nx.')
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    .addHelpText('after', EXAMPLES);
  addServe(program, io);
  addToken(program, io);
  addPurge(program, io);
  return program;
}

function addServe(program: Command, io: Io): void {
  program
    .command('serve', { isDefault: true })
    .description('serves until a signal ends it; what is done when no other verb is named')
    .requiredOption('--dir <folder>', 'where everything is kept; made when it is missing')
    .option('--port <n>', 'port; 0 for any that is free', port, 8080)
    .option('--host <address>', 'address to listen at', '127.0.0.1')
    .option('--tokens <file>', 'file of tokens; without it only this machine is listened to')
    .option('--quota <size>', 'disk space for everything; what was unused longest goes first', byteCount, 50e9)
    .option('--untrusted-quota <size>', 'the part of it for the namespaces of untrusted tokens (a tenth unless set)', byteCount)
    .option('--max-blob <size>', 'largest blob', byteCount, 16e9)
    .option('--max-archive <size>', 'largest archive of Nx, as sent', byteCount, 256e6)
    .option('--max-unpacked <size>', 'largest archive of Nx, as extracted', byteCount, 2e9)
    .option('--max-connections <n>', 'connections at once', count, 256)
    .option('--min-rate <size>', 'bytes a second that a client must send or take', byteCount, 16e3)
    .option('--client-timeout <seconds>', 'time for the head of a request, and over which the rate is measured', seconds, 10)
    .option('--answer-timeout <seconds>', 'after which Nx is answered whatever the disk does', seconds, 5)
    .option('--grace <seconds>', 'for requests in flight when the server is ended', seconds, 10)
    .addHelpText('after', EXAMPLES)
    .action((flags: ServeFlags) => serveCommand(flags, io));
}

function addToken(program: Command, io: Io): void {
  program
    .command('token')
    .description('makes a token, printed once, and its entry for the file of tokens')
    .requiredOption('--name <name>', 'who will have it; kept with everything that it writes')
    .addOption(new Option('--scope <scope>', 'what it may do').choices(SCOPES).makeOptionMandatory())
    .addOption(new Option('--trust <trust>', 'trusted: shares with everybody; untrusted: writes into a namespace').choices(TRUSTS).makeOptionMandatory())
    .option('--namespace <name>', 'of an untrusted token, for example pr-17')
    .option('--json', 'print one JSON object: token and entry', false)
    .action((flags: TokenFlags) => tokenCommand(flags, io));
}

function addPurge(program: Command, io: Io): void {
  program
    .command('purge')
    .description('removes everything that one token has written; the server may run meanwhile')
    .requiredOption('--dir <folder>', 'folder of the server')
    .requiredOption('--writer <name>', 'name of the token')
    .option('--json', 'print one JSON object: entries and bytes', false)
    .action((flags: PurgeFlags) => purgeCommand(flags, io));
}
