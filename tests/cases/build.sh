#!/usr/bin/env bash
# slow
# What `lamella build` makes, in process and by gcc: programs, objects, assembly, shared objects and symbols for
# debuggers; and what it refuses.
. "$(dirname "$0")/../lib.sh"
unset LAMELLA_CACHE
export XDG_CACHE_HOME=$WORK/cache
spec=$SPECS/linear.lam

lamella build "$spec" -v -o probe 2>messages
kinds=(here gcc)
grep -q "built without LLVM" messages && { count_skip "no LLVM"; kinds=(gcc); }
expected=$(./probe train --overwrite --quiet --out w.safetensors)
expect_contains "$expected" slope
for kind in "${kinds[@]}"; do
  mkdir "$kind"
  pushd "$kind" >/dev/null
  by=()
  [[ $kind == gcc ]] && by=(--cc=gcc)
  for level in 0 1 2 3; do
    lamella build "$spec" "${by[@]}" -O$level
    expect_equal "$(./linear train --overwrite --quiet --out w.safetensors)" "$expected" "-O$level, $kind"
  done
  lamella build "$spec" "${by[@]}" -c
  lamella build "$spec" "${by[@]}" -S
  lamella build "$spec" "${by[@]}" -shared
  expect_equal "$(echo *)" "linear linear.o linear.s linear.so w.safetensors" "the files, $kind"
  openmp=-lgomp
  [[ $kind == here ]] && openmp=$(clang-19 -print-file-name=libomp.so 2>/dev/null || true)
  if [[ -n $openmp ]]; then
    gcc linear.o -o linked -lm $openmp && expect_equal "$(./linked train --overwrite --quiet --out w.safetensors)" "$expected" "-c, $kind"
    gcc linear.s -o linked -lm $openmp && expect_equal "$(./linked train --overwrite --quiet --out w.safetensors)" "$expected" "-S, $kind"
  else
    count_skip "no clang-19 to say where libomp is"
  fi
  lamella emit "$spec" -o header
  printf '#include "linear.h"\nint main(void) { struct linear *m = linear_create(); return !m || !m->parameters.slope; }\n' >use.c
  gcc -Wall -Werror -Iheader use.c ./linear.so -o use && ./use || fail "-shared, $kind"
  nm linear.so | grep -q ' T main' && fail "-shared has a main, $kind"
  lamella build "$spec" "${by[@]}" -g -march=x86-64-v3 -o symbols
  expect_contains "$(objdump -h symbols)" ".debug_info"
  expect_contains "$(objdump -h linear)" ".text"
  objdump -h linear | grep -q debug_info && fail "symbols without -g, $kind"
  popd >/dev/null
done

# Nothing is left behind, and a message says what cannot be written.
expect_equal "$(find . -name '*.tmp' -o -name 'lamella-*')" "" "temporary files"
expect_status 2 lamella build "$spec" -O4
expect_status 2 lamella build "$spec" -Ofast
expect_status 2 lamella build "$spec" -march=
expect_status 2 lamella build "$spec" -shred
expect_status 2 lamella build "$spec" -shared -c
expect_status 2 lamella build "$spec" -c -S
expect_contains "$(cat stderr)" "-c, -S and -shared exclude each other"
expect_status 1 lamella build "$spec" -o no/such/folder
expect_contains "$(cat stderr)" "cannot write no/such/folder"
expect_status 1 lamella build "$spec" --cc=no-such-compiler -o out
expect_contains "$(cat stderr)" "cannot run the C compiler 'no-such-compiler'"
if [[ ${#kinds[@]} == 2 ]]; then
  expect_status 1 lamella build "$spec" -march=foo -o out
  expect_contains "$(cat stderr)" "no CPU is called 'foo'"
fi
# Without Clang's libraries another compiler is called.
mkdir empty
LAMELLA_JIT=$WORK/empty CC=gcc lamella build "$spec" -v -o elsewhere 2>messages
expect_contains "$(cat messages)" "gcc -std=c11 -O2"
expect_equal "$(./elsewhere train --overwrite --quiet --out w.safetensors)" "$expected" "without LLVM"
LAMELLA_JIT=$WORK/empty expect_status 1 lamella run "$spec" train
expect_contains "$(cat stderr)" '`lamella build` and `lamella emit` work without it'
[[ ! -e out ]] || fail "something was written in spite of the errors"

# Options that the compiler refuses are no fault of the emitted program; the compiler itself says what is wrong.
mkdir temporary
export TMPDIR=$WORK/temporary
expect_status 1 lamella build "$spec" --cc=gcc -march=foo -o out
expect_contains "$(cat stderr)" "gcc cannot compile a program with these options"
expect_contains "$(cat stderr)" "foo"
[[ $(cat stderr) != *"internal error"* && $(cat stderr) != *OpenMP* ]] || fail "a wrong -march: $(cat stderr)"

# A device or a pipe is written into, a link stays, and a folder is refused.
mkfifo pipe
for kind in "${kinds[@]}"; do
  by=()
  [[ $kind == gcc ]] && by=(--cc=gcc)
  rm -f out target link
  lamella build "$spec" "${by[@]}" -o target
  cat pipe >out &
  lamella build "$spec" "${by[@]}" -o pipe
  wait $!
  [[ -p pipe ]] || fail "a pipe was replaced, $kind"
  cmp out target || fail "what went through a pipe, $kind"
  cat pipe >out &
  lamella build "$spec" "${by[@]}" -S -o pipe
  wait $!
  grep -q linear_train out || fail "assembly through a pipe, $kind"
  : >target
  ln -s target link
  lamella build "$spec" "${by[@]}" -o link
  [[ -L link ]] || fail "a link was replaced, $kind"
  expect_equal "$(./link train --overwrite --quiet --out w.safetensors)" "$expected" "a link, $kind"
done
expect_status 1 lamella build "$spec" -o temporary
expect_contains "$(cat stderr)" "cannot write temporary: Is a directory"
if [[ $(id -u) == 0 ]] && mknod null c 1 3 2>/dev/null && : 2>/dev/null >null; then
  lamella build "$spec" -o null
  lamella build "$spec" -c -o null
  [[ -c null ]] || fail "a device was replaced"
fi
expect_equal "$(ls temporary)" "" "temporary files"

# A build that is killed while a compiler works leaves nothing.
cat >slow_compiler <<'END'
#!/bin/bash
[[ $* == */linear.c* ]] || exec gcc "$@"
while [[ $1 != -o ]]; do shift; done
echo half >"$2"
: >started
exec sleep 60
END
chmod +x slow_compiler
for signal in INT TERM HUP; do
  rm -f started
  (
    set -m # otherwise a background command ignores SIGINT
    lamella build "$spec" --cc=./slow_compiler -o out.$signal 2>messages &
    for ((i = 0; i < 300; i++)); do [[ -e started ]] && break; sleep 0.1; done
    ls lamella-*/output >/dev/null && [[ -n $(ls temporary) ]] || fail "the compiler did not begin"
    kill -$signal $(pgrep -P $! -x lamella || echo $!)
    status=0
    wait $! || status=$?
    [[ $status -gt 128 ]] || fail "exit status $status after SIG$signal"
  ) || exit 1
  expect_equal "$(ls -d temporary/* out.* lamella-* 2>/dev/null || true)" "" "what a build leaves after SIG$signal"
done
