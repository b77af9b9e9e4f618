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

# Training with such weights takes the steps that PyTorch takes (golden/quantize_train.py). An activation at the border between two steps is
# rounded to the other one where sums have another order, so with activations in steps losses drift apart; some of
# float32 are further off than that.
while IFS= read -r line; do
  pipeline=${line%%: *} tolerance=1e-5
  [[ $pipeline != *activations* ]] || tolerance=2e-3
  tr ' ' '\n' <<<"${line#*: }" >torch.txt
  ! near torch.txt "$GOLDEN/gpt.losses" "$tolerance" >out.txt || fail "the losses in float32 pass for those of $pipeline"
  for way in interpret "run $level" "run $level --target=portable"; do
    # shellcheck disable=SC2086 # words
    lamella ${way%% *} "$GOLDEN/gpt.lam" ${way#"${way%% *}"} --passes="$pipeline" train --overwrite --log log.jsonl --out w.safetensors >out.txt
    losses log.jsonl >got.txt
    near torch.txt got.txt "$tolerance" || fail "$pipeline: losses, $way"
  done
done <"$GOLDEN/quantize_train.losses"
