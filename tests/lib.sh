# Helpers of the whole-program tests, sourced by each script of tests/cases. A script runs in a new folder of its own, which is
# removed at its end. Exit status 0 means passed, 77 skipped, and any other failed; the runner then shows what was printed.
set -eu -o pipefail
: "${LAMELLA_ROOT:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${LAMELLA_BUILD:=$LAMELLA_ROOT/build}"
SPECS=$LAMELLA_ROOT/specs
WORK=$(mktemp -d)
# A program that may not write files leaves an empty one of libomp's, on which a later process with the same number would fail.
trap 'rm -rf "$WORK"; find /dev/shm -maxdepth 1 -name "__KMP_REGISTERED_LIB_*" -empty -user "$(id -u)" -delete 2>/dev/null || true' EXIT
trap 'echo "${BASH_SOURCE[0]##*/}:$LINENO: failed: $BASH_COMMAND"' ERR
cd "$WORK"
# Compiled objects are kept for the other tests of this run, and not in the user's cache.
export LAMELLA_CACHE=${LAMELLA_CACHE:-$WORK/compiled}

lamella() { "$LAMELLA_BUILD/lamella" "$@"; }
fail() { echo "failed: $*"; exit 1; }
# Whether every combination is asked for. A test of many combinations tries some of them in usual runs.
everything() { [[ ${LAMELLA_FULL:-every} == every ]]; }
skip() { echo "skipped: $*"; exit 77; }

# expect_equal GOT EXPECTED [WHAT]
expect_equal() {
  [[ $1 == "$2" ]] && return 0
  echo "${3:-a value} differs"
  diff -u --label expected --label got <(printf '%s\n' "$2") <(printf '%s\n' "$1") || true
  exit 1
}

# expect_contains TEXT PART
expect_contains() {
  [[ $1 == *"$2"* ]] && return 0
  fail "no '$2' in: $1"
}

# expect_status STATUS COMMAND...: runs the command; its stdout and stderr are kept in the files stdout and stderr.
expect_status() {
  local expected=$1 status=0
  shift
  "$@" > stdout 2> stderr || status=$?
  [[ $status == "$expected" ]] && return 0
  cat stdout stderr
  fail "exit status $status, expected $expected: $*"
}

# expect_near GOT EXPECTED TOLERANCE: the tolerance is absolute, or relative when EXPECTED is larger than 1.
expect_near() {
  awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { s = b < 0 ? -b : b; if (s < 1) s = 1; d = a - b; if (d < 0) d = -d; exit !(d <= t * s) }' \
    || fail "got $1, expected $2 within $3"
}

GOLDEN=$LAMELLA_ROOT/tests/golden

# losses LOG: prints the training losses of a JSONL log, one a line.
losses() { sed -n 's/.*"loss":\([^,}]*\).*/\1/p' "$1"; }

# near EXPECTED GOT TOLERANCE: both files have a number a line, equally many, and no pair is further apart than TOLERANCE.
near() {
  paste "$1" "$2" | awk -v t="$3" '
    { d = $1 - $2; if (d < 0) d = -d; if (NF != 2 || !(d <= t)) { print "line " NR ": expected " $1 ", got " $2; bad = 1 } }
    END { if (!NR) { print "no numbers"; bad = 1 } exit bad }'
}

# Whether this machine can run code for the target, features and all.
runs_here() {
  local base=${1%%+*} feature
  for feature in $(tr '+' ' ' <<<"${1#"$base"}"); do
    [[ $base == avx512 && $feature != f16c ]] && feature=avx512_$feature
    [[ $feature == vnni ]] && feature=avx_vnni
    # The system must also grant the registers, for which native asks.
    if [[ $feature == avx512_amx ]]; then lamella --version | grep -q 'native is .*+amx' && continue || return 1; fi
    grep -qw "$feature" /proc/cpuinfo || return 1
  done
  case $base in
    avx512) grep -q avx512bw /proc/cpuinfo && grep -q avx512vl /proc/cpuinfo ;;
    avx2) grep -q avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo ;;
    neon) [[ $(uname -m) == aarch64 ]] ;;
  esac
}
# Whether programs for NEON can be compiled and run although this machine is another.
emulates_neon() { command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null; }
# Reports that this machine cannot run a part of a test; the runner counts such parts.
count_skip() { echo "skipped: $*"; }
