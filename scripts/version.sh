#!/bin/bash
# version.sh prints the version of this tree: the tag without its v, else the time and the name of the commit, in a form that
# Debian orders before every release. "version.sh time" prints the time of the commit in seconds since 1970, 0 without git.
set -euo pipefail
cd "$(dirname "$0")/.."
export TZ=UTC

if [[ "${1:-}" == time ]]; then
  git log -1 --format=%ct 2>/dev/null || echo 0
elif tag="$(git describe --tags --exact-match 2>/dev/null)"; then
  printf '%s%s\n' "${tag#v}" "$(git diff --quiet HEAD || echo +changed)"
elif commit="$(git log -1 --date=format-local:%Y%m%d%H%M%S --format=%cd.%h 2>/dev/null)"; then
  printf '0~%s%s\n' "$commit" "$(git diff --quiet HEAD || echo +changed)"
else
  echo '0~unknown'
fi
