#!/usr/bin/env bash
# slow
# What `lamella build` makes, in process and by gcc: programs, objects, assembly, shared objects, symbols for debuggers; what it refuses.
. "$(dirname "$0")/../lib.sh"
unset LAMELLA_CACHE
export XDG_CACHE_HOME=$WORK/cache
spec=$SPECS/linear.lam

lamella build "$spec" -v -o probe 2>messages
kinds=(here gcc)
grep -q "built without LLVM" messages && { count_skip "no LLVM"; kinds=(gcc); }
expected=$(./probe train --quiet --out w.safetensors)
expect_contains "$expected" slope
for kind in "${kinds[@]}"; do
  mkdir "$kind"
  pushd "$kind" >/dev/null
  by=()
  [[ $kind == gcc ]] && by=(--cc=gcc)
  for level in 0 1 2 3; do
    lamella build "$spec" "${by[@]}" -O$level
    expect_equal "$(./linear train --quiet --out w.safetensors)" "$expected" "-O$level, $kind"
  done
  lamella build "$spec" "${by[@]}" -c
  lamella build "$spec" "${by[@]}" -S
  lamella build "$spec" "${by[@]}" -shared
  expect_equal "$(echo *)" "linear linear.o linear.s linear.so w.safetensors" "the files, $kind"
  openmp=-lgomp
  [[ $kind == here ]] && openmp=$(clang-19 -print-file-name=libomp.so 2>/dev/null || true)
  if [[ -n $openmp ]]; then
    gcc linear.o -o linked -lm $openmp && expect_equal "$(./linked train --quiet --out w.safetensors)" "$expected" "-c, $kind"
    gcc linear.s -o linked -lm $openmp && expect_equal "$(./linked train --quiet --out w.safetensors)" "$expected" "-S, $kind"
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

# Nothing is left behind, and what cannot be written is said.
expect_equal "$(find . -name '*.tmp')" "" "temporary files"
expect_status 2 lamella build "$spec" -O4
expect_status 2 lamella build "$spec" -Ofast
expect_status 2 lamella build "$spec" -march=
expect_status 2 lamella build "$spec" -shred
expect_status 2 lamella build "$spec" -shared -c
expect_status 2 lamella build "$spec" -c -S
expect_contains "$(cat stderr)" "one of -c, -S and -shared"
expect_status 1 lamella build "$spec" -o no/such/folder
expect_contains "$(cat stderr)" "cannot write no/such/folder"
expect_status 1 lamella build "$spec" --cc=no-such-compiler -o out
expect_contains "$(cat stderr)" "cannot run the C compiler 'no-such-compiler'"
if [[ ${#kinds[@]} == 2 ]]; then
  expect_status 1 lamella build "$spec" -march=foo -o out
  expect_contains "$(cat stderr)" "no CPU is called 'foo'"
fi
# Without the shared objects another compiler is called.
mkdir empty
LAMELLA_JIT=$WORK/empty CC=gcc lamella build "$spec" -v -o elsewhere 2>messages
expect_contains "$(cat messages)" "gcc -std=c11 -O2"
expect_equal "$(./elsewhere train --quiet --out w.safetensors)" "$expected" "without LLVM"
LAMELLA_JIT=$WORK/empty expect_status 1 lamella run "$spec" train
expect_contains "$(cat stderr)" "tools/setup"
[[ ! -e out ]] || fail "something was written in spite of the errors"
