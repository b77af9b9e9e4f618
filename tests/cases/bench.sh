#!/usr/bin/env bash
# slow
# bench/run on tiny models without peers: its tables, its JSON and what it writes into a page; then a contender that
# fails, and wrong usage.
. "$(dirname "$0")/../lib.sh"
bench() { BUILD=$LAMELLA_BUILD PEERS=$PWD/none "$LAMELLA_ROOT/bench/run" "$@"; }

printf 'before\n<!-- bench/run W1 -->\nold\n<!-- end of W1 -->\nbetween\n<!-- bench/run W6 -->\n<!-- end of W6 -->\nafter\n' >page.md
bench --quick --rounds 2 --threads 2 --json all.json --markdown all.md --update=page.md W1 W6 >printed.md 2>progress
expect_equal "$(cat all.md)" "$(cat printed.md)" "--markdown"
expect_contains "$(cat progress)" "W6: round 2 of 2: lamella"

# Each case has a row with a figure above 0, a spread and a share of the peak that was measured.
rows=$(grep -cE '^\| (step|W[1-5]: .*) \| [0-9.]+ (ms|GFLOP/s) \([0-9.]+ to [0-9.]+\) \| [0-9]+% \|' all.md)
expect_equal "$rows" 7
grep -E '^\| (step|W)' all.md | awk -F '[|(]' '$3 + 0 <= 0 { exit 1 }'
expect_contains "$(cat all.md)" "Not measured: torch, torch.compile (no torch: bench/peers/setup installs it). Not"
expect_contains "$(cat all.md)" "2 rounds, 2 threads; peak "

# In the page, the text between the marks is replaced, and the rest stays.
expect_equal "$(grep -v '^[|]\|^$\|^Not measured\|; peak ' page.md)" "$(printf 'before\n<!-- bench/run W1 -->\n<!-- end of W1 -->\nbetween\n<!-- bench/run W6 -->\n<!-- end of W6 -->\nafter')" "page.md"
expect_equal "$(grep -c '^| step' page.md)" 1

command -v python3 >/dev/null || count_skip "no python3: the JSON is not read"
! command -v python3 >/dev/null || python3 - <<'PYTHON'
import json, statistics
report = json.load(open("all.json"))
assert report["rounds"] == 2 and report["threads"] == 2 and report["quick"] is True
assert [w["name"] for w in report["workloads"]] == ["W1", "W6"]
assert report["machine"]["commit"] and report["machine"]["processor"]
for workload in report["workloads"]:
    assert {a["contender"] for a in workload["absent"]} >= ({"torch"} if workload["name"] == "W1" else {"openblas", "onednn"})
    assert workload["failed"] == []
    assert all(len(workload["peak"][kind][count]) == 2 for kind in ("flops", "read") for count in ("1", "2"))
    for case in workload["cases"]:
        own = case["contenders"]["lamella"]
        assert len(own["samples"]) == 2 and 0 < own["low"] <= own["median"] <= own["high"]
        assert abs(own["median"] - statistics.median(own["samples"])) < 1e-6 * own["median"]
        assert 0 < case["share_of_peak"] and case["gigaflop"] > 0
PYTHON

# This peer prints what llm.c prints.
mkdir peer
printf '%s\n' '#!/bin/sh' 'i=0; while [ $i -lt 100 ]; do echo "step $i: train loss 5.1 (took $i.5 ms)"; i=$((i + 1)); done' >peer/train_gpt2
chmod +x peer/train_gpt2
LLMC=$PWD/peer bench --quick --rounds 1 W1 >peer.md 2>progress
grep -qE '^\| step \| [0-9.]+ ms \| 2.500 ms \| [0-9.]+ x llm.c \|' peer.md || fail "$(cat peer.md progress)"
printf '%s\n' '#!/bin/sh' 'echo no starter pack >&2; exit 1' >peer/train_gpt2
expect_status 1 env LLMC="$PWD/peer" BUILD="$LAMELLA_BUILD" PEERS="$PWD/none" "$LAMELLA_ROOT/bench/run" --quick --rounds 1 W1
expect_contains "$(cat stdout)" "Failed: llm.c (round 1: status 1: no starter pack)."

# Names and ratios of peers are tested with a record made by hand, in which torch failed in the second round.
{
  printf 'run\trounds\t3\nrun\tthreads\t1\nrun\tquick\t0\nworkload\tW9\ta title\ncase\tW9\tstep\tms\t0.5 x\t1\t\t1\n'
  printf 'failed\tW9\ttorch\t2\tno memory\n'
  for sample in "lamella 1 10" "lamella 2 30" "lamella 3 14" "torch 1 40" "torch 3 20" "slower 1 50" "slower 2 60" "slower 3 70"; do
    set -- $sample
    printf 'sample\tW9\tstep\t%s\t%s\t%s\npeak\tW9\tflops 1\t%s\t200\npeak\tW9\tread 1\t%s\t20\n' "$1" "$2" "$3" "$2" "$2"
  done
} >record.tsv
report=$(awk -F '\t' -v form=markdown -f "$LAMELLA_ROOT/bench/report.awk" record.tsv)
expect_contains "$report" "| | Lamella | torch | slower | ratio | share of peak | goal |"
expect_contains "$report" "| step | 14.00 ms (10.00 to 30.00) | 30.00 ms (20.00 to 40.00) | 60.00 ms (50.00 to 70.00) | 0.475 x torch | 36% | <= 0.5 x: reached |"
expect_contains "$report" "Failed: torch (round 2: no memory)."

expect_status 2 bench W99
expect_contains "$(cat stderr)" "no workload W99"
expect_status 2 bench --rounds 0
expect_status 2 bench --update=page.md W3
expect_contains "$(cat stderr)" "has no line '<!-- bench/run W3 -->'"
expect_contains "$(bench --list)" "W3    char GPT: 6 layers"
