#!/usr/bin/env bash
# long
# Three transformers learn in 16 bits, and in bf16 without masters, as they do in float32: no point of a curve is further away than a
# two-hundredth (bench/curves). With --full over 500 steps, else over 50, in which gpt2 and bert get rid of two nats.
. "$(dirname "$0")/../lib.sh"
curves() { BUILD=$LAMELLA_BUILD "$LAMELLA_ROOT/bench/curves" "$@"; }

steps=50
everything && steps=500
curves --steps $steps --within 0.005 >table.md || { cat table.md; fail "a curve is further than 0.005 from that of float32"; }
expect_equal "$(grep -cE '^\| (shakespeare|gpt2|bert) \| (float32|bf16|f16|bf16 without masters) \|( [0-9.]+ \|){12}$' table.md)" 12
# The curves go down, and those of 16 bits are others than that of float32.
awk -F ' *[|] *' 'NR > 2 && NF > 13 { if (!($13 < $4 - 1 && $14 < $4 - 1)) bad = 1; if ($3 != "float32") apart += $15 } END { exit bad || !(apart > 0) }' table.md \
  || { cat table.md; fail "a curve does not go down, or none is another"; }

# A curve that is too far is told by the status.
expect_status 1 curves --steps 10 --within 0 gpt2
expect_equal "$(grep -c '^| gpt2' stdout)" 4
expect_status 2 curves gpt3
expect_contains "$(cat stderr)" "no option or spec gpt3"
expect_status 2 curves --steps 15
expect_contains "$(cat stderr)" "--steps needs a multiple of ten, not '15'"
