#!/bin/bash
# timed.sh tells how long something took the last time it succeeded, and notes how long it takes now.
#
#   scripts/timed.sh plan NAME...         the names, each with its last time
#   scripts/timed.sh NAME COMMAND...      runs the command
#
# The times are kept in the cache that scripts/deps.sh fills, a file of seconds for each name.
set -euo pipefail

readonly times="${ISCSIROOT_CACHE:-${XDG_CACHE_HOME:-${HOME:?timed: HOME is not set}/.cache}/iscsiroot}/times"

# last NAME prints the last time in minutes and seconds.
last() {
  local seconds
  if seconds="$(cat "$times/$1.seconds" 2>/dev/null)" && [[ "$seconds" =~ ^[0-9]{1,6}$ ]]; then
    printf '%d min %d s last time' $((seconds / 60)) $((seconds % 60))
  else
    printf 'not timed yet'
  fi
}

if [[ "${1:?timed: no name}" == plan ]]; then
  for name in "${@:2}"; do printf 'to do: %s (%s)\n' "$name" "$(last "$name")"; done
  exit
fi
name="$1"
shift
printf '%s: begins (%s)\n' "$name" "$(last "$name")"
SECONDS=0
"$@"
printf '%s: passed in %d min %d s\n' "$name" $((SECONDS / 60)) $((SECONDS % 60))
mkdir -p "$times"
echo "$SECONDS" >"$times/$name.seconds"
