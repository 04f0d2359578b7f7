#!/bin/bash
# fuzz.sh DURATION [NAME] runs each fuzz target of the tree for that long, one after the other:
# with NAME those whose "package target" it is a part of. It prints the executions of each, lists
# the targets that failed or ran less than 1000 times, and fails if there are any.
set -euo pipefail
export CGO_ENABLED=0
readonly time="${1:?fuzz: give a duration, for example 30s}" name="${2:-}"
# A target that runs less often tests little more than its seeds.
readonly least=1000
# Go's default is 60 s for each new input: more than DURATION, during which nothing else runs.
readonly minimize=10x

bad=()
while read -r package dir; do
  while read -r _ target; do
    [[ "$package $target" == *"$name"* ]] || continue
    out=$(go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime "$minimize" "$package" 2>&1 </dev/null) && failed='' || failed=failed
    execs=$(sed -nE 's/^fuzz: elapsed: .* execs: ([0-9]+) .*/\1/p' <<<"$out" | tail -n 1)
    printf 'fuzz: %s %s: %d executions %s\n' "$package" "$target" "${execs:-0}" "$failed"
    if [[ $failed ]]; then
      printf '%s\n' "$out"
      bad+=("$package $target failed")
    elif ((${execs:-0} < least)); then
      bad+=("$package $target: ${execs:-0} executions, less than $least")
    fi
  done < <({ grep -ohE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null || true; } | sort -u)
done < <(go list -f '{{.ImportPath}} {{.Dir}}' ./...)

((${#bad[@]} == 0)) || { printf 'fuzz: %s\n' "${bad[@]}"; exit 1; }
