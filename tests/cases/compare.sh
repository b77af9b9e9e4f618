#!/usr/bin/env bash
# slow
# lamella compare: what it reports, what it refuses, and that it leaves nothing behind.
. "$(dirname "$0")/../lib.sh"

export TMPDIR=$WORK/tmp
mkdir -p "$TMPDIR"
tiny=(-D embed=16 -D head=2 -D repeat.h=1 -D train.batch=2)
lamella compare "$SPECS/shakespeare.lam" "${tiny[@]}" --passes=default --passes='bare=none, plan' --time 1 --threads 1 --seed 7 \
  --json c.json >table.txt 2>errors.txt || { cat errors.txt; grep -q 'cannot be compiled in memory' errors.txt && skip "no LLVM"; fail "compare"; }
expect_equal "$(ls -A "$TMPDIR")" "" "what is left"
grep -q '^default  .*tokens\|^variant .*tokens/s' table.txt || { cat table.txt; fail "no table"; }
grep -q 'from the interpreter' table.txt || fail "the interpreter is not named"
grep -q 'times as fast as bare\|times as fast as default\|no difference that is more than noise' table.txt || fail "no verdict"

# Python's JSON reader reads the file for machines.
if command -v python3 >/dev/null; then
  python3 - <<'PYTHON'
import json
c = json.load(open("c.json"))
assert [v["name"] for v in c["variants"]] == ["default", "bare"], c["variants"]
assert c["fastest"] in ("default", "bare") and c["threads"] == 1 and c["seed"] == 7 and c["rounds"] >= 5
for v in c["variants"]:
    assert 0 < v["step_seconds"]["low"] <= v["step_seconds"]["median"] <= v["step_seconds"]["high"]
    ratio = v["time_to_fastest"]
    assert ratio["fastest"] == (v["name"] == c["fastest"]) and 0 <= ratio["p"] <= 1
    assert ratio["low"] <= ratio["ratio"] <= ratio["high"]
    assert v["units"] == 2 * 64 and v["unit"] == "tokens"
    assert v["memory_bytes"] > v["activation_bytes"] > 0 and v["code_bytes"] > 1000 and v["compile_seconds"] > 0
    # Results differ by the rounding of float32, and never by nothing: the interpreter is in double precision.
    assert 0 < v["difference"]["mean"] < v["difference"]["largest"] < 1e-3, v["difference"]
    assert abs(v["difference"]["loss"]) < 1e-4
    assert len(v["losses"]) > 5 and 4 < v["losses"][0] < 5 and v["losses"][-1] < 5
    kernels = v["kernels"]
    assert kernels and all(k["seconds"] > 0 and k["calls"] >= 1 and k["name"] for k in kernels), kernels
    assert sum(k["seconds"] for k in kernels) < 20 * v["step_seconds"]["high"], "kernels take longer than steps"
    assert v["memory"] and all(0 <= m[0] <= m[1] < v["launches"] and m[3] > 0 for m in v["memory"])
a, b = c["variants"]
assert all(abs(x - y) < 1e-2 for x, y in zip(a["losses"], b["losses"])), "the losses differ"
PYTHON
fi

# A pipeline slowed down is slower than itself; many kinds of variants at once.
lamella compare "$SPECS/mlp.lam" --variant 'usual:' --variant 'bad: --passes=none' --variant 'small: -D train.batch=2 -O1' \
  --variant 'late: --target=portable' --time 1 --threads 1 --slow usual=200 >table.txt 2>errors.txt || { cat errors.txt; fail "variants"; }
for name in usual bad small late; do grep -q "^$name " table.txt || fail "no row for $name"; done
lamella compare "$SPECS/mlp.lam" --passes a= --passes b= --time 1 --threads 1 --slow b=100 --steps 3 >table.txt
grep -q 'loss at step 3$' table.txt || { cat table.txt; fail "--steps"; }
grep -q '^a is [0-9.]* times as fast as b' table.txt || { cat table.txt; fail "b is twice as slow"; }

refused() {
  local status=$1 says=$2
  shift 2
  expect_status "$status" "$@"
  grep -qF -- "$says" stderr || { cat stderr; fail "no '$says' from: $*"; }
  expect_equal "$(ls -A "$TMPDIR")" "" "what is left after $*"
}
refused 1 "no pass is called 'fuze'; did you mean 'fuse'?" lamella compare "$SPECS/mlp.lam" --passes fuze
refused 1 "--variant x:1:1: error: no pass is called 'fuze'" lamella compare "$SPECS/mlp.lam" --variant 'x: --passes=fuze'
refused 2 "no target is called 'avx'" lamella compare "$SPECS/mlp.lam" --variant 'x: --target=avx'
refused 2 "'NAME: OPTIONS'" lamella compare "$SPECS/mlp.lam" --variant fuse
refused 2 "with the name of a variant" lamella compare "$SPECS/mlp.lam" --slow nobody=5
refused 2 "--steps takes a whole number" lamella compare "$SPECS/mlp.lam" --steps 2.5
refused 1 "cannot write nowhere/page.html" lamella compare "$SPECS/mlp.lam" --html nowhere/page.html --time 1000
refused 2 "--time takes a number" lamella compare "$SPECS/mlp.lam" --time soon
refused 1 "does not train" lamella compare "$SPECS/gpt-nano-sort.lam"

# Ctrl-C ends the command at once, cleanly, and no process stays.
"$LAMELLA_BUILD/lamella" compare "$SPECS/mlp.lam" --time 60 --threads 1 >table.txt 2>errors.txt &
pid=$!
sleep 3
kill -INT "$pid" || { cat errors.txt; fail "it ended by itself"; }
status=0
wait "$pid" || status=$?
expect_equal "$status" 130 "the status after Ctrl-C"
expect_equal "$(ls -A "$TMPDIR")" "" "what Ctrl-C leaves"
