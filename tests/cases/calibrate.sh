#!/usr/bin/env bash
# slow
# Calibration measures what numpy does, and weights rounded by it give what numpy says (golden/calibrate.py), interpreted and compiled. The
# file that calibration adds to serves every pipeline, and training forgets what was measured.
. "$(dirname "$0")/../lib.sh"
fixture=$GOLDEN/calibrate.logits
tokens=$(sed -n 's/^tokens //p' "$fixture")
cp "$GOLDEN/text.txt" "$GOLDEN/gpt.safetensors" .
{ cat "$GOLDEN/gpt.lam"; echo 'calibrate gpt on text { examples = 32 }'; } >gpt.lam
both='quantize(i4, method = awq), quantize(i8, activations = i8, smooth = 0.5, "wte*")'

expect() { "$LAMELLA_BUILD/tests/tools/expect_tensor" "$@"; }

# measured FILE PATTERN: the file has what numpy measured, as far as the pattern says.
measured() {
  local name numbers
  while read -r name numbers; do
    # shellcheck disable=SC2086 # words
    expect "$1" "$name" "$(wc -w <<<"$numbers")" 2e-6 $numbers
  done < <(grep "$2" "$GOLDEN/calibrate.inputs")
}

# logits_as NUMBERS TOLERANCE COMMAND PIPELINE WEIGHTS OPTION...: predicts for the fixture's text.
logits_as() {
  local numbers=$1 tolerance=$2 command=$3 pipeline=$4 weights=$5
  shift 5
  lamella "$command" gpt.lam -D seq=8 --passes="$pipeline" "$@" predict --weights "$weights" --input tokens="$tokens" \
    --out got.safetensors >out.txt || return
  # shellcheck disable=SC2086 # words
  expect got.safetensors logits 1x8x65 "$tolerance" $numbers
}

measure() { lamella "$1" gpt.lam -D seq=8 --passes="$2" "${@:5}" calibrate --weights "$3" --out "$4" >out.txt; }

for command in interpret run; do
  measure $command "$both" gpt.safetensors $command.safetensors
  measured $command.safetensors '^h.*square'
  measured $command.safetensors '^wte.*max'
done

targets="portable avx2"
# In float32 the factors differ in their last bits, so that a weight near the border of two steps may take the other one.
while IFS= read -r line; do
  pipeline=${line%%: *} numbers=${line#*: }
  plain=$(sed 's/, method = awq//; s/, smooth = [0-9.]*//' <<<"$pipeline")
  measure interpret "$pipeline" gpt.safetensors all.safetensors
  logits_as "$numbers" 1e-6 interpret "$pipeline" all.safetensors || fail "$pipeline, interpreted"
  ! logits_as "$numbers" 3e-3 interpret "$plain" gpt.safetensors >wrong.txt || fail "$plain passes for $pipeline"
  for target in native $targets; do
    runs_here "$target" || { count_skip "$target"; continue; }
    logits_as "$numbers" 1e-3 run "$pipeline" all.safetensors --target="$target" || fail "$pipeline, $target"
  done
  everything || targets=
done < <(grep quantize "$fixture")

# Other pipelines read the file, and training goes on from it and leaves out what was measured; that it is missing is said.
cp run.safetensors gpt.safetensors
logits_as "$(sed -n 's/^quantize(i4): //p' "$GOLDEN/quantize.logits")" 100 run 'quantize(i4)' run.safetensors
lamella run gpt.lam -D seq=8 --passes="$both" train --out trained.safetensors >out.txt
expect_status 1 lamella run gpt.lam -D seq=8 --passes="$both" eval --all --weights trained.safetensors
expect_contains "$(cat stderr)" "trained.safetensors lacks wte.weight/input.max"
expect_contains "$(cat stderr)" "the verb calibrate measures that"

# Without --out the file itself has more in it afterwards, and training can still go on from it.
lamella run gpt.lam -D seq=8 --passes="$both" calibrate --weights trained.safetensors >out.txt
lamella run gpt.lam -D seq=8 --passes="$both" eval --all --weights trained.safetensors >out.txt
lamella run gpt.lam -D seq=8 --passes="$both" -D train.epochs=2 train --resume --out trained.safetensors >out.txt

# What another pipeline asked for stays beside what is measured.
cp "$GOLDEN/gpt.safetensors" several.safetensors
for pipeline in 'quantize(i8, activations = i8, smooth = 0.5)' 'quantize(i4, method = awq)'; do
  lamella run gpt.lam -D seq=8 --passes="$pipeline" calibrate --weights several.safetensors >out.txt
done
for pipeline in 'quantize(i8, activations = i8, smooth = 0.5)' 'quantize(i4, method = awq)'; do
  lamella run gpt.lam -D seq=8 --passes="$pipeline" eval --all --weights several.safetensors >out.txt
done

# Caches of few bits change nothing of what is measured.
smooth='quantize(i8, activations = i8, smooth = 0.5)'
measure run "$smooth" "$GOLDEN/gpt.safetensors" plain.safetensors
measure run "$smooth, quantize_cache(i8)" "$GOLDEN/gpt.safetensors" cached.safetensors
cmp plain.safetensors cached.safetensors || fail "what is measured depends on caches"

# Vendored programs calibrate, too, and weights that become a part of a program bring what was measured.
lamella emit gpt.lam -D seq=8 --passes="$both" --only=calibrate,predict -o vendor >out.txt
cc -O0 vendor/*.c -o vendored -lm -lpthread
./vendored calibrate --weights gpt.safetensors --out vendored.safetensors >out.txt
measured vendored.safetensors '^h.*square'
lamella emit gpt.lam -D seq=8 --passes="$both" --only=predict --weights=vendored.safetensors -o baked >out.txt
cc -O0 baked/*.c -o baked_program -lm -lpthread
./baked_program predict --input tokens="$tokens" --out baked.safetensors >out.txt
lamella run gpt.lam -D seq=8 --passes="$both" predict --weights vendored.safetensors --input tokens="$tokens" --out read.safetensors >out.txt
echo "logits logits 0 1 2" >pairs
"$LAMELLA_BUILD/tests/tools/compare_tensors" read.safetensors baked.safetensors 1e-4 pairs
