#!/usr/bin/env bash
# slow
# What `emit` writes for GPT-2: bytes that repeat, few lines of at most 120 columns, in under a second; gcc and clang
# compile it as C11 without a warning, without -march or -fopenmp, against libc and libm alone.
. "$(dirname "$0")/../lib.sh"

most=5950

# Modules of the runtime that GPT-2 does not use are not there; the other specs have what they use.
lamella emit "$SPECS/gpt2.lam" -o first
for word in lam_utf8_read lam_csv lam_synthetic lam_masking lam_kernel_begin lam_handover_listen; do
  ! grep -q $word first/gpt2.c || fail "gpt2.c has $word"
done
mkdir all
for spec in "$SPECS"/*.lam "$GOLDEN"/*.lam; do
  name=$(basename "$spec" .lam)
  lamella emit "$spec" -o "all/$name"
  for file in "all/$name"/*.c; do
    gcc -std=c11 -Wall -Wextra -Werror -fsyntax-only "$file" || fail "$name"
  done
done
grep -q lam_utf8_read all/shakespeare/shakespeare.c || fail "shakespeare.c cannot read characters"

for target in portable avx512; do
  { TIMEFORMAT='%U %S' && time lamella emit "$SPECS/gpt2.lam" --target=$target -o first; } 2> time
  elapsed=$(awk '{ printf "%d", ($1 + $2) * 1000 }' time) # of the processor: others may use it, too
  case $LAMELLA_BUILD in *asan*) ;; *) [[ $elapsed -lt 1000 ]] || fail "$target took $elapsed ms to emit" ;; esac
  lamella emit "$SPECS/gpt2.lam" --target=$target -o second
  diff -r first second || fail "$target: two emissions differ"
  expect_equal "$(ls first)" "gpt2.c
gpt2.h"
  lines=$(cat first/* | wc -l)
  [[ $lines -lt $most ]] || fail "$target: $lines lines"
  awk 'length > 120 { print FILENAME ":" FNR ": " length " columns"; bad = 1 } END { exit bad }' first/* || fail "$target: long lines"
  for compiler in gcc clang-19; do
    command -v $compiler >/dev/null || { count_skip "no $compiler"; continue; }
    $compiler -std=c11 -O2 -Wall -Wextra -Werror -c first/gpt2.c -o gpt2.o || fail "$compiler, $target"
    $compiler gpt2.o -o program -lm || fail "$compiler links $target"
    needed=$(objdump -p program | awk '/NEEDED/ {print $2}' | grep -v -e '^libc\.' -e '^libm\.' -e '^ld-' || true)
    expect_equal "$needed" "" "the libraries that $compiler links for $target"
    $compiler -std=c11 -O2 -Wall -Wextra -Werror -fopenmp -c first/gpt2.c -o gpt2.o || fail "$compiler with OpenMP, $target"
    # Vendored: no main, and the header alone is enough to call it.
    printf '#include "gpt2.h"\nint main(void) { return gpt2_program() == 0; }\n' >use.c
    $compiler -std=c11 -Wall -Wextra -Werror -Ifirst -DLAMELLA_NO_MAIN -O1 first/gpt2.c use.c -o use -lm || fail "$compiler, vendored $target"
  done
done
