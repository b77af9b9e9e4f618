#!/usr/bin/env bash
# long
# `emit` writes the same bytes each time for GPT-2, few lines of at most 120 columns, in under a second. gcc and clang
# compile them as C11 without a warning, without -march or -fopenmp, against libc and libm alone. The core needs no
# runtime, and models of one program share a runtime.
. "$(dirname "$0")/../lib.sh"

most=7780 most_vendored=5000 # lines: the whole program, and the four files that another program takes

# Modules of the runtime that GPT-2 does not use are left out; the other specs have the modules that they use.
lamella emit "$SPECS/gpt2.lam" -o first
for word in lam_utf8_read lam_csv lam_synthetic lam_masking lam_kernel_begin lam_handover_listen lam_model_learn lam_read_source lam_csv_class_name lam_find_shared lam_put_quantized; do
  ! grep -q $word first/* || fail "GPT-2 has $word"
done
mkdir all
strict=(-std=c11 -O1 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wdouble-promotion -Wcast-qual -Werror)
strict_compilers=(gcc)
others=(clang-19)
everything && others+=(clang-14)
for compiler in "${others[@]}"; do
  if command -v $compiler >/dev/null; then strict_compilers+=($compiler); else count_skip "no $compiler"; fi
done
for spec in "$SPECS"/*.lam "$GOLDEN"/*.lam; do
  name=$(basename "$spec" .lam)
  lamella emit "$spec" -o "all/$name"
  for file in "all/$name"/*.c; do
    for compiler in "${strict_compilers[@]}"; do
      $compiler "${strict[@]}" -fsyntax-only "$file" || fail "$name by $compiler"
    done
  done
  g++ -x c++ -std=c++17 -Wall -Wextra -Wpedantic -Wshadow -Werror -fsyntax-only "all/$name"/*.h || fail "$name's headers as C++"
done
grep -q lam_utf8_read all/shakespeare/lamella.c || fail "shakespeare cannot read characters"

# Lanes that are taken one by one: places of a view that was split, which are quotients of an index.
cat >view.lam <<'END_SPEC'
use "std/optim.lam"
axis part = 3
axis key = 7
axis all = part * key
axis n = 5
model view(x[n]) -> y[part, key], z {
  param w[all, n] ~ normal(1)
  v = x @n w
  p = v[all -> part * key]
  return p * index(key), sum(tanh(pad(p[part = 1], key, 1, axis all = all)) * v, all)
}
data d { examples = 8; x = normal(1, n) }
train view on d { loss = (z - 1) ^ 2 + y; optimizer = sgd(lr = 0.1); steps = 1 }
END_SPEC
cp "$SPECS/translate.lam" .
for target in portable avx2 avx512 avx512+vnni+bf16 avx512+vnni+amx reference; do
  for passes in default 'mixed(bf16)' 'mixed(f16), tile(work = 0)'; do
    for name in translate view; do
      lamella emit $name.lam --target=$target --passes="$passes" -o strict_$target
      for compiler in "${strict_compilers[@]}"; do
        $compiler "${strict[@]}" -fsyntax-only strict_$target/$name.c || fail "$name for $target, $passes, by $compiler"
      done
    done
  done
done

for target in avx2 neon; do
  lamella emit "$SPECS/gpt2.lam" --target=$target -o other_$target
  [[ $(cat other_$target/* | wc -l) -lt $most ]] || fail "$target: $(cat other_$target/* | wc -l) lines"
  lines=$(cat other_$target/gpt2.? other_$target/lamella.? | wc -l)
  [[ $lines -lt $most_vendored ]] || fail "$target: $lines lines to vendor"
done
for target in portable avx512; do
  { TIMEFORMAT='%U %S' && time lamella emit "$SPECS/gpt2.lam" --target=$target -o first; } 2> time
  elapsed=$(awk '{ printf "%d", ($1 + $2) * 1000 }' time) # processor time, since other processes run too
  case $LAMELLA_BUILD in *asan*) ;; *) [[ $elapsed -lt 1000 ]] || fail "$target took $elapsed ms to emit" ;; esac
  lamella emit "$SPECS/gpt2.lam" --target=$target -o second
  diff -r first second || fail "$target: two emissions differ"
  expect_equal "$(ls first)" "gpt2.c
gpt2.h
gpt2_main.c
lamella.c
lamella.h
lamella_runtime.c
lamella_runtime.h"
  lines=$(cat first/* | wc -l)
  [[ $lines -lt $most ]] || fail "$target: $lines lines"
  lines=$(cat first/gpt2.? first/lamella.? | wc -l)
  [[ $lines -lt $most_vendored ]] || fail "$target: $lines lines to vendor"
  # Without -O gcc has macros in place of some intrinsics.
  gcc "${strict[@]}" -O0 -fsyntax-only first/*.c || fail "gcc -O0, $target"
  awk 'length > 120 { print FILENAME ":" FNR ": " length " columns"; bad = 1 } END { exit bad }' first/* || fail "$target: long lines"
  for compiler in gcc clang-19; do
    command -v $compiler >/dev/null || { count_skip "no $compiler"; continue; }
    for threads in '' -fopenmp; do
      for file in gpt2 gpt2_main lamella lamella_runtime; do
        $compiler -std=c11 -O2 -Wall -Wextra -Werror $threads -c first/$file.c -o $file.o || fail "$compiler, $target, $file $threads"
      done
      [[ -n $threads ]] || $compiler gpt2.o gpt2_main.o lamella.o lamella_runtime.o -o program -lm || fail "$compiler links $target"
    done
    needed=$(objdump -p program | awk '/NEEDED/ {print $2}' | grep -v -e '^libc\.' -e '^libm\.' -e '^ld-' || true)
    expect_equal "$needed" "" "the libraries that $compiler links for $target"
    # In vendored code the header alone is enough to call the core, which needs nothing of the runtime.
    printf '#include "gpt2.h"\nint main(void) { struct gpt2 *m = gpt2_create(); gpt2_destroy(m); return !m; }\n' >use.c
    $compiler -std=c11 -Wall -Wextra -Werror -Ifirst -O1 -DGPT2_ALONE first/gpt2.c use.c -o use -lm || fail "$compiler, the core alone, $target"
    printf '#include "gpt2.h"\nint main(void) { return gpt2_program() == 0; }\n' >use.c
    $compiler -std=c11 -Wall -Wextra -Werror -Ifirst -DLAMELLA_NO_MAIN -O1 first/*.c use.c -o use -lm || fail "$compiler, vendored $target"
  done
done

# Two models in one program have each their core and tables, and one runtime.
lamella emit "$GOLDEN/gpt.lam" --target=portable -o both
lamella emit "$GOLDEN/gpt.lam" --target=portable -o alone
lamella emit "$SPECS/shakespeare.lam" --target=portable -o both
cat >both.c <<'END'
#include <stdio.h>
#include "gpt.h"
#include "shakespeare.h"
int main(void) {
  struct gpt *x = gpt_create();
  struct shakespeare *y = shakespeare_create();
  if (!x || !y) return 1;
  printf("%d ", gpt_load(x, "gpt.st") == GPT_OK);
  printf("%d ", shakespeare_load(y, "none.st") == SHAKESPEARE_CANNOT_READ);
  printf("%s\n", shakespeare_message(y));
  gpt_destroy(x);
  shakespeare_destroy(y);
  return 0;
}
END
gcc -std=c11 -Wall -Wextra -Werror -O1 alone/*.c -o gpt -lm
./gpt train --steps 1 --quiet --data "$GOLDEN/text.txt" --init "$GOLDEN/gpt.safetensors" --out gpt.st
gcc -std=c11 -Wall -Wextra -Werror -DLAMELLA_NO_MAIN -Iboth -O1 both/*.c both.c -o two -lm || fail "two models in one program"
expect_contains "$(./two 2>messages)" "1 1 cannot open none.st"
expect_equal "$(cat messages)" "" "what a library prints"
