#!/usr/bin/env bash
# Messages of the library are for its callers: none speaks of options of a command line.
. "$(dirname "$0")/../lib.sh"

for spec in shakespeare gpt2 bert; do
  lamella emit "$SPECS/$spec.lam" -o $spec
  if grep -nE '"[^"]*(--[a-z]|-D )' $spec/lamella.c; then fail "$spec: a message of the library names an option"; fi
done
grep -qE '"[^"]*--[a-z]' shakespeare/lamella_runtime.c || fail "this would not find an option"
