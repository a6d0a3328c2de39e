/** The GitHub Actions workflow that the generator `ci` writes. */
import type { CiChoices } from './choices.js';

const PLAN = 'fromJSON(needs.plan.outputs.matrix)';

/** Text of .github/workflows/tundish.yml below its header. */
export function githubWorkflow(choices: CiChoices): string {
  return `# Builds the models of this workspace on runners that share one cache.
name: tundish

on:
  push:
    branches: ['${choices.branch}']
  pull_request:

permissions:
  contents: read

concurrency:
  group: \${{ github.workflow }}-\${{ github.ref }}
  cancel-in-progress: \${{ github.event_name == 'pull_request' }}

${environment(choices)}
jobs:
  # On a push every model, on a pull request those that changed. Models that the cache has cost a look at it.
  plan:
    runs-on: ubuntu-latest
    outputs:
      matrix: \${{ steps.plan.outputs.matrix }}
    steps:
      - uses: actions/checkout@v5
        with:
          fetch-depth: 0
${prepare(choices)}
      - id: plan
        env:
          BASE: \${{ github.event.pull_request.base.sha }}
        run: |
          matrix=$(npx tundish ci-matrix --format github --shards ${choices.shards} \${BASE:+--base "$BASE"})
          echo "matrix=$matrix" >> "$GITHUB_OUTPUT"

  # Stages of whole models, then cells, then parts; a wave that the plan does not have is skipped.
${[0, 1, 2].map((wave) => waveJob(choices, wave)).join('\n')}
${packageJob(choices)}`;
}

/** Who may read and write what. A secret that is not there is an empty string, and without a cache each runner builds by itself. */
function environment({ branch, cache, forkToken }: CiChoices): string {
  const address = cache === undefined ? 'vars.TUNDISH_REMOTE_CACHE' : `vars.TUNDISH_REMOTE_CACHE || '${cache}'`;
  // Nx speaks http only.
  const nxCache = cache?.startsWith('http') === true ? `'${cache}'` : "''";
  const token = `github.event_name == 'push' && secrets.TUNDISH_REMOTE_CACHE_TOKEN || secrets.TUNDISH_REMOTE_CACHE_PR_TOKEN${forkToken === undefined ? '' : ` || '${forkToken}'`}`;
  return `env:
  CI: 'true'
  TUNDISH_REMOTE_CACHE: \${{ ${address} }}
  # Pushes to ${branch} write what everybody reads. A pull request writes to a namespace of its own, which is the server's to
  # decide by its token; a fork is given no secrets and reads at most.
  TUNDISH_REMOTE_CACHE_TOKEN: \${{ ${token} }}
  TUNDISH_REMOTE_CACHE_MODE: \${{ github.event.pull_request.head.repo.fork && 'read' || 'read-write' }}
  # The small outputs of Nx itself: the same server, unless a variable names another.
  NX_SELF_HOSTED_REMOTE_CACHE_SERVER: \${{ vars.NX_SELF_HOSTED_REMOTE_CACHE_SERVER || startsWith(vars.TUNDISH_REMOTE_CACHE, 'http') && vars.TUNDISH_REMOTE_CACHE || ${nxCache} }}
  NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN: \${{ ${token} }}
`;
}

function prepare({ install, corepack }: CiChoices): string {
  return `      - uses: actions/setup-node@v5
        with:
          node-version: 22
${corepack ? '      - run: corepack enable\n' : ''}      - run: ${install}`;
}

function waveJob(choices: CiChoices, wave: number): string {
  const earlier = Array.from({ length: wave }, (_, index) => `wave-${index}`);
  return `  wave-${wave}:
    needs: [${['plan', ...earlier].join(', ')}]
    if: \${{ !cancelled() && !failure() && ${PLAN}.waves[${wave}] }}
${shardJob(choices, `${PLAN}.waves[${wave}]`)}`;
}

function packageJob(choices: CiChoices): string {
  return `  package:
    needs: [plan, wave-0, wave-1, wave-2]
    if: \${{ !cancelled() && !failure() && ${PLAN}.package }}
${shardJob(choices, `${PLAN}.package`)}      - uses: actions/upload-artifact@v6
        with:
          name: containers-\${{ matrix.name }}
          path: ${choices.containers}
`;
}

function shardJob(choices: CiChoices, matrix: string): string {
  return `    name: \${{ matrix.name }}
    runs-on: ubuntu-latest
    strategy:
      fail-fast: false
      matrix: \${{ ${matrix} }}
    steps:
      - uses: actions/checkout@v5
${prepare(choices)}
      - env:
          COMMAND: \${{ matrix.command }}
        run: sh -ec "$COMMAND"
`;
}
