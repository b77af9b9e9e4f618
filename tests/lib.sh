# Helpers of the whole-program tests, sourced by each script of tests/cases. The script runs in a new folder of its own, which is
# removed when it ends; 0 is passed, 77 skipped, and anything else failed, with what was printed shown.
set -eu -o pipefail
: "${LAMELLA_ROOT:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${LAMELLA_BUILD:=$LAMELLA_ROOT/build}"
SPECS=$LAMELLA_ROOT/specs
WORK=$(mktemp -d)
# A program that may write no file at all leaves an empty one of libomp's, which a later process of the same number would trip over.
trap 'rm -rf "$WORK"; find /dev/shm -maxdepth 1 -name "__KMP_REGISTERED_LIB_*" -empty -user "$(id -u)" -delete 2>/dev/null || true' EXIT
trap 'echo "${BASH_SOURCE[0]##*/}:$LINENO: failed: $BASH_COMMAND"' ERR
cd "$WORK"
# What is compiled is kept for the other tests of this run, and nowhere else.
export LAMELLA_CACHE=${LAMELLA_CACHE:-$WORK/compiled}

lamella() { "$LAMELLA_BUILD/lamella" "$@"; }
fail() { echo "failed: $*"; exit 1; }
# Whether everything is asked for: a test of many combinations has a choice of them for usual runs.
everything() { [[ ${LAMELLA_FULL:-full} == full ]]; }
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

# expect_near GOT EXPECTED TOLERANCE: absolute, or relative when EXPECTED is larger than 1
expect_near() {
  awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN { s = b < 0 ? -b : b; if (s < 1) s = 1; d = a - b; if (d < 0) d = -d; exit !(d <= t * s) }' \
    || fail "got $1, expected $2 within $3"
}

GOLDEN=$LAMELLA_ROOT/tests/golden

# losses LOG: the training losses of a JSONL log, one a line.
losses() { sed -n 's/.*"loss":\([^,}]*\).*/\1/p' "$1"; }

# near EXPECTED GOT TOLERANCE: files with a number a line, as many in each, none further apart than that.
near() {
  paste "$1" "$2" | awk -v t="$3" '
    { d = $1 - $2; if (d < 0) d = -d; if (NF != 2 || !(d <= t)) { print "line " NR ": expected " $1 ", got " $2; bad = 1 } }
    END { if (!NR) { print "no numbers"; bad = 1 } exit bad }'
}

# Can this machine run code for the target?
runs_here() {
  case $1 in
    avx512) grep -q avx512bw /proc/cpuinfo && grep -q avx512vl /proc/cpuinfo ;;
    avx2) grep -q avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo ;;
  esac
}
# A part of a test that this machine cannot run; the runner counts it.
count_skip() { echo "skipped: $*"; }
