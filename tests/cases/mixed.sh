#!/usr/bin/env bash
# slow
# Mixed precision gives what PyTorch does with the same roundings written by hand (golden/mixed.py): gradients and losses in
# bf16; in f16 also the scale of the loss, and which steps are skipped.
. "$(dirname "$0")/../lib.sh"
expect_tensor() { "$LAMELLA_BUILD/tests/tools/expect_tensor" "$@"; }

# as_fixture TOLERANCE FILE: checks gradients of a first step. Adam's m is the gradient where beta1 is 0.
as_fixture() {
  local name numbers
  while read -r name numbers; do
    # shellcheck disable=SC2086 # words
    expect_tensor "$2" "$name/m" 32 "$1" $numbers || return 1
  done <"$GOLDEN/mixed_gpt.gradients"
}

# Every spec under both, with the verifier after each pass.
for spec in "$SPECS"/*.lam; do
  for storage in bf16 f16; do
    lamella show "$spec" --stage=loops --verify --passes="mixed($storage)" >loops.txt || fail "$spec under mixed($storage)"
  done
done

first() { lamella "$@" -D optimizer.beta1=0 train --steps 1 --overwrite --out first.safetensors >out.txt; }
first interpret "$GOLDEN/gpt.lam" --passes='mixed(bf16)'
as_fixture 1e-5 first.safetensors || fail "gradients in bf16, interpreted"
first interpret "$GOLDEN/gpt.lam"
! as_fixture 1e-5 first.safetensors >out.txt || fail "gradients in float32 pass for those in bf16"

# A number at the border between two of 16 bits is rounded to the other one where sums have another order. So losses are
# the same to 1e-4 of the first one, which differs by 5e-4 in float32, and drift apart by and by.
trained_as() {
  losses log.jsonl >got.txt
  near <(head -1 "$GOLDEN/mixed_gpt.losses") <(head -1 got.txt) 1e-4 && near "$GOLDEN/mixed_gpt.losses" got.txt 1e-3
}
lamella interpret "$GOLDEN/gpt.lam" --passes='mixed(bf16)' train --log log.jsonl --out w.safetensors >out.txt
trained_as || fail "losses in bf16, interpreted"
for target in portable avx2 avx512; do
  runs_here "$target" || { count_skip "$target"; continue; }
  first run "$GOLDEN/gpt.lam" --target="$target" --passes='mixed(bf16)'
  as_fixture 1e-5 first.safetensors || fail "gradients in bf16, $target"
  lamella run "$GOLDEN/gpt.lam" --target="$target" --passes='mixed(bf16)' train --overwrite --log log.jsonl --out w.safetensors >out.txt
  trained_as || fail "losses in bf16, $target"
done

# scales_as_fixture LOG WEIGHTS: the trace has a line for each step in which the scale or the number of skipped steps is
# another than before, and the states at the end.
scales_as_fixture() {
  local name numbers scale tracker skipped
  sed -n 's/{"step":\([0-9]*\),.*"loss_scale":\([^,]*\),"skipped_steps":\([^,]*\),.*/\1 \2 \3/p' "$1" \
    | awk '$2 " " $3 != before { print } { before = $2 " " $3 }' >trace.txt
  grep '^[0-9]' "$GOLDEN/mixed.trace" | diff - trace.txt || return 1
  read -r _ scale tracker skipped < <(grep '^end' "$GOLDEN/mixed.trace")
  expect_tensor "$2" scaler/scale 1 0 "$scale" && expect_tensor "$2" scaler/growth_tracker 1 0 "$tracker" \
    && expect_tensor "$2" scaler/skipped_steps 1 0 "$skipped" || return 1
  while read -r name numbers; do
    local shape=8
    case $name in w1) shape=8x4 ;; w2) shape=1x8 ;; b2) shape=1 ;; end | [0-9]*) continue ;; esac
    # shellcheck disable=SC2086 # words
    expect_tensor "$2" "$name" "$shape" 1e-3 $numbers || return 1
  done <"$GOLDEN/mixed.trace"
}
for way in interpret portable avx2 avx512; do
  runs_here "$way" || { count_skip "$way"; continue; }
  command=(run "$GOLDEN/mixed.lam" --target="$way")
  [[ $way == interpret ]] && command=(interpret "$GOLDEN/mixed.lam")
  lamella "${command[@]}" train --overwrite --log log.jsonl --out w.safetensors >out.txt
  scales_as_fixture log.jsonl w.safetensors || fail "scaling the loss, $way"
done
expect_contains "$(tail -1 out.txt)" "scale 8192, 5 skipped"

# The spec's pipeline is that of what is emitted, too: the bytes are those of `run`.
lamella emit "$GOLDEN/mixed.lam" -o vendored
cc -O1 -fopenmp -o program vendored/*.c -lm
cp "$GOLDEN/mixed.safetensors" .
./program train --steps 60 --out vendored.safetensors >out.txt
lamella run "$GOLDEN/mixed.lam" train --steps 60 --out run.safetensors >out.txt
cmp vendored.safetensors run.safetensors || fail "the emitted program trains otherwise"
