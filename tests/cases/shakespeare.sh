#!/usr/bin/env bash
# slow
# The spec of the demo learns: after 300 steps its validation loss, printed once, is well under that of letter
# frequencies; and it generates.
. "$(dirname "$0")/../lib.sh"

lamella build "$SPECS/shakespeare.lam" -D train.eval=0 -o gpt
./gpt train --steps 300 --out weights.safetensors >out.txt
expect_equal "$(grep -c 'validation loss' out.txt)" 1
loss=$(sed -n 's/.*validation loss //p' out.txt)
awk -v loss="$loss" 'BEGIN { exit !(loss < 2.45) }' || fail "validation loss $loss after 300 steps"
expect_equal "$(./gpt eval --weights weights.safetensors | sed -n 's/.*loss \([0-9.]*\).*/\1/p')" "$loss" "eval"
text=$(./gpt generate --weights weights.safetensors --prompt "ROMEO:" --tokens 100 --seed 7)
expect_equal "$(./gpt generate --weights weights.safetensors --prompt "ROMEO:" --tokens 100 --seed 7)" "$text" "the same seed"
expect_contains "$text" "ROMEO:"
[[ ${#text} -gt 90 ]] || fail "only ${#text} characters: $text"
