#!/usr/bin/env bash
# The options that no other script needs do what their help says.
. "$(dirname "$0")/../lib.sh"

lamella build "$SPECS/linear.lam" -j 2 --jobs=1 --no-cache -o program
./program train --out w.safetensors --steps 3 >/dev/null
# --all lists every kernel, also those that take little time; and --weights is read.
./program bench --steps 5 --weights w.safetensors >some.txt
./program bench --steps 5 --weights w.safetensors --all >all.txt
[[ $(wc -l <all.txt) -ge $(wc -l <some.txt) ]] || fail "--all lists less"
expect_contains "$(./program info)" ": synthetic, split "
expect_status 1 ./program bench --weights missing.safetensors
expect_contains "$(cat stderr)" "missing.safetensors"

# perf finds the names of functions in /tmp/perf-PID.map.
"$LAMELLA_BUILD/lamella" run "$SPECS/linear.lam" --perf info >info.txt 2>messages & process=$!
if wait $process; then
  map=/tmp/perf-$process.map
  [[ -s $map ]] || fail "no $map"
  grep -q ' main$' "$map" || fail "$map does not name main"
  rm "$map"
elif grep -q "built without LLVM" messages; then
  count_skip "no LLVM"
else
  cat messages
  fail "run --perf"
fi
