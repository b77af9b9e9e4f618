#!/usr/bin/env bash
# A trained model of others: all 24 intermediate tensors of one forward pass to 1e-5, by interpreter and by C; and it sorts.
. "$(dirname "$0")/../lib.sh"
data=$SPECS/data

check_tensors() { "$LAMELLA_BUILD/tests/tools/compare_tensors" "$data/gpt-nano-sort-partials.safetensors" dumped.safetensors 1e-5 "$LAMELLA_ROOT/tests/golden/gpt-nano-sort.pairs" || fail "$1"; }
arguments=(predict --weights "$data/gpt-nano-sort.safetensors" --inputs inputs.safetensors --out dumped.safetensors)
"$LAMELLA_BUILD/tests/tools/compare_tensors" --rename "$data/gpt-nano-sort-partials.safetensors" idx tokens inputs.safetensors

lamella interpret "$SPECS/gpt-nano-sort.lam" --dump '*' "${arguments[@]}" >out.txt
check_tensors interpreter
for target in portable avx2 avx512; do
  runs_here $target || { count_skip $target; continue; }
  lamella build "$SPECS/gpt-nano-sort.lam" --target=$target --dump '*' -o sort
  ./sort "${arguments[@]}" >out.txt
  check_tensors $target
done

# Six letters and then the same sorted: greedy generation completes them.
lamella build "$SPECS/gpt-nano-sort.lam" -o sort
