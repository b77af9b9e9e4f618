#!/usr/bin/env bash
# slow
# Data and weights that are missing, cut off, or of another model give a clear message and exit status 1, and nothing is
# written.
. "$(dirname "$0")/../lib.sh"

small=(-D embed=32 -D repeat.h=1 -D train.steps=2 -D train.eval=0)
lamella build "$SPECS/shakespeare.lam" "${small[@]}" -o gpt
./gpt train --out weights.safetensors >out.txt

# refused TEXT COMMAND...: the command fails with status 1 and prints TEXT on stderr.
refused() {
  local says=$1
  shift
  expect_status 1 "$@"
  grep -qF -- "$says" stderr || { cat stderr; fail "no '$says' from: $*"; }
}
refused "cannot open nowhere.txt" ./gpt train --data nowhere.txt --out w.safetensors
: >empty.txt
refused "empty.txt is empty" ./gpt train --data empty.txt --out w.safetensors
printf 'a' >short.txt
refused "too short" ./gpt train --data short.txt --out w.safetensors
printf 'caf\xe9 and much more text to make it long enough, it goes on and on and on and on and on and on and on' >latin.txt
refused "latin.txt" ./gpt train --data latin.txt --out w.safetensors
for code in $(seq 33 126) $(seq 161 255); do printf "\\U$(printf %08x "$code")%.0s" 1 2 3; done >wide.txt
refused "at least" ./gpt train --data wide.txt --out w.safetensors
[[ ! -e w.safetensors ]] || fail "a failed command wrote weights"

refused "cannot open" ./gpt generate --weights nothing.safetensors
head -c 5000 weights.safetensors >cut.safetensors
refused "cut.safetensors" ./gpt generate --weights cut.safetensors
head -c 4 weights.safetensors >stub.safetensors
refused "stub.safetensors" ./gpt eval --weights stub.safetensors
printf '\377\377\377\377\377\377\377\177{}' >huge.safetensors
refused "huge.safetensors" ./gpt eval --weights huge.safetensors
cp "$SPECS/data/gpt-nano-sort.safetensors" other.safetensors
refused "other.safetensors" ./gpt eval --weights other.safetensors
lamella build "$SPECS/shakespeare.lam" "${small[@]}" -D embed=64 -o wider
refused "embed=64" ./wider eval --weights weights.safetensors
grep -q "embed=32" stderr || fail "the mismatch does not say what the file has"
refused "would" ./gpt train --init weights.safetensors --out weights.safetensors
cp weights.safetensors before.safetensors
refused "embed=64" ./wider train --resume --out weights.safetensors
cmp weights.safetensors before.safetensors || fail "a refused run changed the weights"

expect_status 2 ./gpt train --stpes 5
grep -q -- "--steps" stderr || fail "no suggestion for --stpes"
expect_status 2 ./gpt
expect_status 0 ./gpt --help
for verb in train eval generate predict info; do expect_status 0 ./gpt $verb --help; done
expect_status 0 ./gpt info
expect_status 0 ./gpt --version
