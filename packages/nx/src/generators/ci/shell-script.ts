/** The POSIX shell script that the generator `ci` writes, for every other CI system. */
import type { CiChoices } from './choices.js';

/** Text of ci/tundish.sh below its header. */
export function shellScript({ shards, cache, install, corepack, branch }: CiChoices): string {
  return `# Builds the models of this workspace, on one machine or on several that share a cache.
#
#   sh ci/tundish.sh                          one machine builds every model
#   TUNDISH_BASE=${branch} sh ci/tundish.sh        one machine builds the models that changed since a revision
#
# Over several machines, wave after wave; files are named as seen from the workspace:
#   sh ci/tundish.sh plan plan.json           writes the plan, once; TUNDISH_SHARDS and TUNDISH_BASE count
#   sh ci/tundish.sh count plan.json          prints the number of shards of each wave, a line each
#   sh ci/tundish.sh shard plan.json 1 0      builds shard 0 of wave 1
#
# Environment: TUNDISH_REMOTE_CACHE (http://, https:// or s3://), TUNDISH_REMOTE_CACHE_TOKEN, TUNDISH_REMOTE_CACHE_MODE
# (read-write, or read). Give the token that writes what everybody reads to builds of ${branch} only.
set -eu
cd "$(dirname "$0")/.."

CI=true
TUNDISH_REMOTE_CACHE=\${TUNDISH_REMOTE_CACHE:-${cache ?? ''}}
export CI TUNDISH_REMOTE_CACHE

# The small outputs of Nx itself go to the same server; Nx speaks http only.
case $TUNDISH_REMOTE_CACHE in
  http://* | https://*)
    NX_SELF_HOSTED_REMOTE_CACHE_SERVER=\${NX_SELF_HOSTED_REMOTE_CACHE_SERVER:-$TUNDISH_REMOTE_CACHE}
    NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN=\${NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN:-\${TUNDISH_REMOTE_CACHE_TOKEN:-}}
    export NX_SELF_HOSTED_REMOTE_CACHE_SERVER NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN
    ;;
esac

usage() {
  echo "usage: $0 [plan FILE | count FILE | shard FILE WAVE SHARD]" >&2
  exit 2
}

# What is installed already stays: an image may bring the packages.
prepare() {
${corepack ? '  corepack enable\n' : ''}  [ -d node_modules ] || ${install}
}

case \${1:-build} in
  build)
    [ $# -le 1 ] || usage
    prepare
    if [ -n "\${TUNDISH_BASE:-}" ]; then
      npx nx affected -t compile --base="$TUNDISH_BASE"
    else
      npx nx run-many -t compile -p tag:tundish:model
    fi
    ;;
  plan)
    [ $# -eq 2 ] || usage
    prepare
    npx tundish ci-matrix --shards "\${TUNDISH_SHARDS:-${shards}}" \${TUNDISH_BASE:+--base "$TUNDISH_BASE"} > "$2"
    ;;
  count)
    [ $# -eq 2 ] || usage
    node -e 'for (const wave of JSON.parse(require("fs").readFileSync(process.argv[1], "utf8")).waves) console.log(wave.length)' "$2"
    ;;
  shard)
    [ $# -eq 4 ] || usage
    command=$(node -e 'const [file, wave, shard] = process.argv.slice(1);
      const planned = JSON.parse(require("fs").readFileSync(file, "utf8")).waves[wave]?.[shard];
      if (planned === undefined) throw new Error("the plan has no shard " + shard + " in wave " + wave);
      console.log(planned.command);' "$2" "$3" "$4")
    prepare
    sh -ec "$command"
    ;;
  *) usage ;;
esac
`;
}
