#!/usr/bin/env bash
# lamella shrink leaves out heads and hidden units: those that numpy leaves out (golden/shrink.py), in all weights of a layer alike.
. "$(dirname "$0")/../lib.sh"

shrink() { lamella shrink "$@" -o small.safetensors >out.txt 2>&1; }
shrink "$GOLDEN/gpt.lam" --keep=head=2 --keep=hidden=50 --weights="$GOLDEN/gpt.safetensors" || { cat out.txt; fail "gpt"; }
expect_contains "$(cat out.txt)" "head: 2 of 4, chosen in 2 places"
expect_equal "$(tail -1 out.txt)" "use it with -D head=2 -D hidden=50 -D key=8"
while IFS= read -r line; do
  numbers=${line#*: }
  # shellcheck disable=SC2086 # words
  "$LAMELLA_BUILD/tests/tools/expect_tensor" small.safetensors "${line%%: *}" "$(wc -w <<<"$numbers")" 1e-8 $numbers || fail "${line%%: *}"
done <"$GOLDEN/shrink.biases"

# The axes of other models, each by its own -D: grouped queries, an encoder's hidden units, a residual stream.
shrunk_runs() {
  local spec=$1 weights=$2 words
  shift 2
  shrink "$spec" "$@" --weights="$weights" || { cat out.txt; fail "$spec $*"; }
  read -ra words < <(sed -n 's/^use it with //p' out.txt)
  lamella interpret "$spec" "${words[@]}" train --init small.safetensors --steps 1 --overwrite --out trained.safetensors >out.txt 2>&1 || { cat out.txt; fail "$spec $* does not run"; }
}
shrunk_runs "$GOLDEN/llama.lam" "$GOLDEN/llama.safetensors" --keep=kv=1
shrunk_runs "$GOLDEN/llama.lam" "$GOLDEN/llama.safetensors" --keep=hidden=33 --keep=group=1
shrunk_runs "$GOLDEN/bert.lam" "$GOLDEN/bert.safetensors" --keep=hidden=40 --keep=embed=24
shrunk_runs "$GOLDEN/translate.lam" "$GOLDEN/translate.safetensors" --keep=head=1

rm -f small.safetensors
refused() {
  local words=$1
  shift
  ! shrink "$GOLDEN/gpt.lam" --weights="$GOLDEN/gpt.safetensors" "$@" || fail "$* is accepted"
  expect_contains "$(cat out.txt)" "$words"
  [[ ! -e small.safetensors ]] || fail "$* wrote a file"
}
refused "nothing is to shrink"
refused "give an axis and how many" --keep=hidden
refused "give an axis and how many" --keep=hidden=0
refused "no value of model gpt has an axis 'hiden'" --keep=hiden=3
refused "keep fewer of them" --keep=hidden=128
refused "the model tells its elements apart by their numbers" --keep=vocab=60
refused "cannot get shorter: an" --keep=batch=2
refused "lacks" --keep=hidden=5 --weights="$GOLDEN/llama.safetensors"
refused "has axes [65, 32] in the file" --keep=hidden=5 -D embed=16
