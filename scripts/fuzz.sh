#!/bin/bash
# fuzz.sh DURATION runs each fuzz target of the tree for that long, one after the other.
set -euo pipefail
export CGO_ENABLED=0
readonly time="${1:?fuzz: say for how long, for example 30s}"

go list -f '{{.ImportPath}} {{.Dir}}' ./... | while read -r package dir; do
  { grep -ohE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null || true; } | sort -u | while read -r _ target; do
    printf 'fuzz: %s %s for %s\n' "$package" "$target" "$time"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" </dev/null
  done
done
