#!/usr/bin/env bash
# long
# Compiling takes work in proportion to the graph: four times the steps of an unrolled recurrence or a chain, four times
# the parameters or layers take less than six times the instructions, as valgrind counts them. With all tests they must
# also take less than ten times the processor time, which depends on caches and other processes too. --time-passes
# prints where it goes.
. "$(dirname "$0")/../lib.sh"
TIMEFORMAT=%U

# work TRIES SPEC OPTION...: prints the instructions or the seconds, the least of some tries.
instructions() {
  shift
  valgrind --tool=callgrind --callgrind-out-file="$WORK/calls" "$LAMELLA_BUILD/lamella" show "$@" --stage=c 2>&1 >/dev/null | sed -n 's/^.*Collected : //p'
}
seconds() {
  local tries=$1 least= spent
  shift
  for _ in $(seq "$tries"); do
    spent=$({ time lamella show "$@" --stage=c >/dev/null; } 2>&1) || fail "show $*: $spent"
    least=$(awk -v x="$spent" -v y="${least:-$spent}" 'BEGIN { print x < y ? x : y }')
  done
  echo "$least"
}

# grows HOW LIMIT SPEC NAME N: fails unless NAME = 4 N takes less than LIMIT times the work of NAME = N.
grows() {
  local few many
  few=$($1 5 "$3" -D "$4=$5")
  many=$($1 3 "$3" -D "$4=$((4 * $5))")
  awk -v few="$few" -v many="$many" -v limit="$2" 'BEGIN { exit !(few > 0 && many < limit * few) }' ||
    fail "${3##*/}: $few $1 for $4 = $5, and $many for four times as much"
}
growth=$LAMELLA_ROOT/tests/growth
if everything; then
  for row in recurrence:seq:128 chain:steps:256 wide:steps:128 norms:steps:128; do
    IFS=: read -r name axis number <<<"$row"
    grows seconds 10 "$growth/$name.lam" "$axis" "$number"
  done
  grows seconds 10 "$SPECS/gpt2.lam" repeat.h 48
fi
if command -v valgrind >/dev/null; then
  for row in recurrence:seq:64 wide:steps:128; do
    IFS=: read -r name axis number <<<"$row"
    grows instructions 6 "$growth/$name.lam" "$axis" "$number"
  done
else
  count_skip "no valgrind"
fi

# There is a line for each pass, for code generation and for what follows; the times add up to the total, and this to
# the time of the command.
table() {
  awk '$2 == "s" && $3 == "total" { total = $1 } $2 == "s" && $3 != "total" { sum += $1 }
    END { exit !(total > 0 && sum > total - 0.005 && sum < total + 0.005) }' "$1" || { cat "$1"; fail "$2: the lines do not add up"; }
  local pass
  for pass in $3; do grep -q "^ *[0-9.]* s  $pass\b" "$1" || { cat "$1"; fail "$2: no line for $pass"; }; done
}
passes="frontend inline simplify common autodiff hoist layout fuse tile kernels share plan"
spec=$LAMELLA_ROOT/tests/growth/recurrence.lam
TIMEFORMAT=%R
{ time lamella emit "$spec" -D seq=128 -o emitted --time-passes 2>times; } 2>real
table times emit "$passes merge roll code other"
awk -v real="$(cat real)" '$3 == "total" { exit !($1 <= real && $1 > 0.7 * real) }' times || { cat real times; fail "the total is not the time of the command"; }
lamella show "$spec" -D seq=8 --stage=loops --time-passes >/dev/null 2>times
table times show "$passes"
lamella check "$spec" -D seq=8 --time-passes >/dev/null 2>times
table times check "frontend autodiff"
lamella interpret "$spec" -D seq=2 --time-passes info >/dev/null 2>times
table times interpret "frontend autodiff"
if command -v cc >/dev/null; then
  lamella build "$spec" -D seq=8 -O0 --cc=cc -o program --time-passes 2>times
  table times "build --cc" "$passes code compile"
fi
lamella run "$spec" -D seq=2 info >/dev/null 2>messages || { grep -q "built without LLVM" messages && { count_skip "no LLVM"; exit 0; }; cat messages; fail run; }
lamella build "$spec" -D seq=8 -O0 -o program --time-passes 2>times
table times build "$passes code Clang compile link"
lamella run "$spec" -D seq=8 -O0 --time-passes info >/dev/null 2>times
table times run "$passes code Clang compile load"
lamella compare "$spec" -D seq=8 -D train.steps=100 --time 0.2 --passes default --passes=-plan --time-passes >/dev/null 2>messages
for name in default -plan; do
  sed -n "/^$name:\$/,/ total\$/p" messages >times
  table times "compare's $name" "frontend autodiff fuse code compile waiting"
done
