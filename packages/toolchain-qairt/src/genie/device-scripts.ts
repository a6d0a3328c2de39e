/** The scripts that bring a bundle onto a device over adb and run it there; POSIX sh on both sides. */
import { GENIE_CONFIG_FILE } from './bundle.js';
import type { BundlePlan } from './bundle-plan.js';
import { GENIE_PROGRAM, RUN_LIST_FILE } from './run-list.js';

export const PUSH_SCRIPT = 'push.sh';
export const RUN_SCRIPT = 'run.sh';

/** Reads the run list, checks that everything is there, and pushes it. Every path that comes out of the plan is free of shell characters. */
export function pushScript({ device }: BundlePlan): string {
  return `#!/bin/sh
# Pushes this bundle and the libraries that it needs onto a device over adb.
# QAIRT_SDK_ROOT names the vendor's SDK; ANDROID_SERIAL the device when there are several; the first argument another folder on it.
set -eu
cd "$(dirname "$0")"
: "\${QAIRT_SDK_ROOT:?set it to the folder of the SDK}"
target=\${1:-${device.folder}}

place() {
  case $1 in
    bundle) printf '%s\\n' "$2" ;;
    sdk) printf '%s\\n' "$QAIRT_SDK_ROOT/$2" ;;
  esac
}

missing=0
while read -r from need path; do
  if [ "$need" = required ] && [ ! -f "$(place "$from" "$path")" ]; then
    echo "missing: $(place "$from" "$path")" >&2
    missing=1
  fi
done < ${RUN_LIST_FILE}
[ "$missing" -eq 0 ] || exit 1

# adb reads the standard input of its caller: it must not get the list.
while read -r from need path; do
  file=$(place "$from" "$path")
  [ -f "$file" ] || continue
  case $from in
    bundle) to=$target/$path ;;
    sdk) to=$target/\${path##*/} ;;
  esac
  adb shell "mkdir -p '\${to%/*}'" < /dev/null
  adb push "$file" "$to" < /dev/null
done < ${RUN_LIST_FILE}
adb shell "chmod +x '$target/${GENIE_PROGRAM}'" < /dev/null
echo "run it: adb push prompt.txt $target/ && adb shell sh $target/${RUN_SCRIPT} --prompt_file prompt.txt"
`;
}

/** Runs on the device; arguments go to the vendor's program. */
export function runScript(): string {
  return `#!/bin/sh
# Runs this bundle where it lies; arguments go to ${GENIE_PROGRAM}, for example --prompt_file prompt.txt --profile profile.json
cd "$(dirname "$0")" || exit 1
here=$(pwd)
LD_LIBRARY_PATH=$here
ADSP_LIBRARY_PATH=$here
export LD_LIBRARY_PATH ADSP_LIBRARY_PATH
exec ./${GENIE_PROGRAM} -c ${GENIE_CONFIG_FILE} "$@"
`;
}
