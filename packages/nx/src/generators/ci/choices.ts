/** What the generator `ci` was asked for, checked: values go into a workflow and a script as they are. */
import { printable } from '@tundish/diagnostics';
import { nxError } from '../../errors.js';

export interface CiGeneratorOptions {
  readonly ci?: 'github' | 'shell' | 'both';
  readonly branch?: string;
  readonly shards?: number;
  readonly cache?: string;
  readonly forkToken?: string;
  readonly force?: boolean;
}

/** What the files are made from. */
export interface CiChoices {
  /** Its builds are trusted: what they put into the cache serves everybody. */
  readonly branch: string;
  readonly shards: number;
  /** `TUNDISH_REMOTE_CACHE` where no variable says another. */
  readonly cache: string | undefined;
  /** A token that only reads, for pull requests of forks, which get no secrets. Whoever reads the workflow reads it. */
  readonly forkToken: string | undefined;
  /** Command that installs the packages. */
  readonly install: string;
  /** Set where the package manager comes by corepack. */
  readonly corepack: boolean;
  /** Folders of containers, as a glob. */
  readonly containers: string;
}

/** @throws NX_OPTION for a value that would change the meaning of the file around it */
export function checkedChoices({ shards = 4, cache, forkToken, branch }: CiGeneratorOptions, workspace: Pick<CiChoices, 'branch' | 'install' | 'corepack' | 'containers'>): CiChoices {
  const chosen = branch ?? workspace.branch;
  if (!Number.isInteger(shards) || shards < 1 || shards > 256) throw refused(`--shards ${shards}`, 'a matrix of GitHub Actions has 1 to 256 jobs', 'give a whole number');
  if (!/^[\w./-]+$/.test(chosen)) throw refused(`--branch ${printable(chosen)}`, 'it must be the name of one branch', 'use letters, digits, . _ / and -');
  if (cache !== undefined && !/^(https?|s3):\/\/[\w.~:/?&=%@+-]+$/.test(cache)) throw refused(`--cache ${printable(cache)}`, 'it must be an address that every runner reaches: http://, https:// or s3://', 'give for example https://cache.example.org');
  if (forkToken !== undefined && cache === undefined) throw refused('--forkToken without --cache', 'forks are given no variables either, so it is of use only with --cache', 'give --cache too');
  if (forkToken !== undefined && !/^[\w.~+/=-]+$/.test(forkToken)) throw refused('this --forkToken', 'it must be a bearer token', 'give the token alone');
  return { ...workspace, branch: chosen, shards, cache, forkToken };
}

function refused(answer: string, why: string, fix: string): Error {
  return nxError('NX_OPTION', { what: `${answer} is not possible`, why, fix });
}
