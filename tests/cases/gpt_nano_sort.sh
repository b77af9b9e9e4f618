#!/usr/bin/env bash
# slow
# A model that others have trained gives all 24 intermediate tensors of one forward pass to 1e-5, interpreted and as C;
# and it sorts.
. "$(dirname "$0")/../lib.sh"
data=$SPECS/data

check_tensors() {
  "$LAMELLA_BUILD/tests/tools/compare_tensors" "$data/gpt-nano-sort-partials.safetensors" dumped.safetensors 1e-5 \
    "$GOLDEN/gpt-nano-sort.pairs" || fail "$1"
}
arguments=(predict --weights "$data/gpt-nano-sort.safetensors" --inputs "$GOLDEN/gpt-nano-sort-inputs.safetensors" --out dumped.safetensors)

lamella interpret "$SPECS/gpt-nano-sort.lam" --dump '*' "${arguments[@]}" >out.txt
check_tensors interpreter
for target in reference portable avx2 avx512; do
  runs_here $target || { count_skip $target; continue; }
  lamella build "$SPECS/gpt-nano-sort.lam" --target=$target --dump '*' -o sort
  ./sort "${arguments[@]}" >out.txt
  check_tensors $target
done

# Six letters, and greedy generation writes them in order.
lamella build "$SPECS/gpt-nano-sort.lam" -o sort
for letters in "2 1 0 1 0 2" "0 0 2 1 0 1" "2 2 2 1 1 0" "1 0 1 0 1 0" "2 0 0 2 1 1"; do
  sorted=$(tr ' ' '\n' <<<"$letters" | sort | paste -sd ' ')
  got=$(./sort generate --weights "$data/gpt-nano-sort.safetensors" --prompt "$letters" --tokens 6 --temperature 0 2>/dev/null)
  expect_equal "$(xargs <<<"$got")" "$letters $sorted" "the letters $letters"
done
