#!/usr/bin/env bash
# Weights of few bits give what numpy says of the same steps and scales (golden/quantize.py), interpreted and compiled.
. "$(dirname "$0")/../lib.sh"
fixture=$GOLDEN/quantize.logits
tokens=$(sed -n 's/^tokens //p' "$fixture")

# logits_as NUMBERS TOLERANCE COMMAND PIPELINE OPTION...: predicts for the fixture's text.
logits_as() {
  local numbers=$1 tolerance=$2 command=$3 pipeline=$4
  shift 4
  lamella "$command" "$GOLDEN/gpt.lam" -D seq=8 --passes="$pipeline" "$@" predict --weights "$GOLDEN/gpt.safetensors" \
    --input tokens="$tokens" --out got.safetensors >out.txt || return
  # shellcheck disable=SC2086 # words
  "$LAMELLA_BUILD/tests/tools/expect_tensor" got.safetensors logits 1x8x65 "$tolerance" $numbers
}

level=-O0 # compiles faster; the numbers are the same
everything && level=

while IFS= read -r line; do
  pipeline=${line%%: *} numbers=${line#*: }
  logits_as "$numbers" 1e-6 interpret "$pipeline" || fail "$pipeline, interpreted"
  ! logits_as "$numbers" 1e-3 interpret default >wrong.txt || fail "float32 passes for $pipeline"
  for target in portable avx2 avx512; do
    runs_here "$target" || { count_skip "$target"; continue; }
    logits_as "$numbers" 2e-5 run "$pipeline" --target="$target" $level || fail "$pipeline, $target"
    everything || continue
    logits_as "$numbers" 2e-5 run "$pipeline, -derive -fuse" --target="$target" || fail "$pipeline without derive and fuse, $target"
  done
done < <(grep quantize "$fixture")
