#!/usr/bin/env bash
# long
# Emitted C is compiled under options that change what arithmetic means: either the compiler refuses it, or the program
# does with a message, or the weights are those of a plain build to the byte. Then come further compilers, languages and
# C libraries, and processors without the instructions.
. "$(dirname "$0")/../lib.sh"
spec=$LAMELLA_ROOT/tests/emission/kinds.lam

# outcome TARGET COMMAND...: prints same, different, refused (by the compiler) or declined (by the program).
outcome() {
  local target=$1 status=0
  shift
  rm -f program w.st
  if ! "$@" -w "$target"/*.c -o program -lm 2>messages; then
    grep -q "numbers would be wrong" messages && echo refused || { cat messages >&2; echo "does not compile"; }
    return 0
  fi
  ./program train --overwrite --quiet --out w.st >messages 2>&1 || status=$?
  if [[ $status == 0 ]]; then
    cmp -s w.st "$target/plain.st" && echo same || echo different
  elif [[ $status == 1 && ! -e w.st ]] && grep -q "would compute wrong numbers, because" messages; then
    echo declined
  else
    echo "status $status: $(head -n 1 messages)"
  fi
}

targets=(portable)
for target in avx2 avx512; do runs_here $target && targets+=($target) || count_skip "no $target here"; done
for target in "${targets[@]}"; do
  lamella emit "$spec" --target=$target -o $target
  lamella build "$spec" --target=$target -o plain
  ./plain train --overwrite --quiet --out $target/plain.st >/dev/null
done

# NaN and infinity go through `%` as usual, though gcc takes all numbers to be finite.
cat >rest.lam <<'SPEC'
axis k = 4
model rest(x[k]) -> a[k], b[k] { return x % 3, 7 % x }
SPEC
numbers=(predict --input x=nan,inf,0,-inf)
for target in "${targets[@]}"; do
  lamella emit rest.lam --target=$target -o rest
  for option in -O0 -O1 '-O2 -ffast-math' '-O3 -ffinite-math-only' '-Ofast -flto'; do
    gcc $option -w rest/*.c -o program -lm
    expect_equal "$(./program "${numbers[@]}")" "$(lamella run rest.lam --target=$target "${numbers[@]}")" "gcc $option, $target"
  done
done

# gcc obeys the pragmas of the source; clang's contraction to fused operations cannot be undone in the source.
all=(-ffast-math -Ofast '-Ofast -flto' -fassociative-math '-fassociative-math -fno-signed-zeros -fno-trapping-math'
  -funsafe-math-optimizations -ffinite-math-only -freciprocal-math -fno-signed-zeros -ffp-contract=fast '-march=native -std=gnu11'
  '-march=native -ffast-math' -fsingle-precision-constant)
everything || all=(-ffast-math '-Ofast -flto' -fassociative-math -ffp-contract=fast)
gcc=(-mfpmath=387 '-mfpmath=387 -ffast-math')
clang=(-ffp-model=fast -fapprox-func -fno-honor-nans -fdenormal-fp-math=preserve-sign)
everything || clang=(-ffp-model=fast -fapprox-func)
for compiler in gcc clang-19; do
  command -v $compiler >/dev/null || { count_skip "no $compiler"; continue; }
  options=("${all[@]}")
  if [[ $compiler == gcc ]]; then options+=("${gcc[@]}"); else options+=("${clang[@]}"); fi
  for target in "${targets[@]}"; do
    [[ $target == avx2 && ${#targets[@]} == 3 ]] && continue
    [[ $target != portable ]] && options=(-ffast-math -ffp-contract=fast)
    for option in '' "${options[@]}"; do
      what=$(outcome $target $compiler -O1 $option)
      case $what in
        same) ;;
        refused | declined) [[ $compiler$option == clang* || $option == *387* || $option == -fsingle* ]] || fail "$compiler $option, $target: $what" ;;
        *) fail "$compiler $option, $target: $what" ;;
      esac
      [[ $option == -ffast-math && $compiler == clang* ]] && expect_equal "$what" refused "$compiler $option, $target"
      [[ $option == -mfpmath=387 ]] && expect_equal "$what" refused "$compiler $option, $target"
    done
  done
done

# Without the pragmas, as for a compiler that does not know them, the program itself declines.
mkdir bare
cp portable/*.h portable/plain.st bare
for file in portable/*.c; do
  grep -v '^#pragma GCC optimize\|^#pragma float_control\|^#pragma STDC\|^#error' $file >bare/${file#portable/}
done
expect_equal "$(outcome bare gcc -O2)" same "without pragmas"
for option in -ffast-math '-fassociative-math -fno-signed-zeros -fno-trapping-math' -freciprocal-math -ffinite-math-only -fno-signed-zeros \
  '-std=gnu11 -mfma'; do
  [[ $option == *mfma* ]] && ! runs_here avx2 && continue
  expect_equal "$(outcome bare gcc -O2 $option)" declined "without pragmas, $option"
done

# The options of a host program do not reach the library, and where they would matter the host gets no model, but a
# reason.
cat >host.c <<'END'
#include <stdio.h>
#include "kinds.h"
int main(void) {
  struct kinds *m = kinds_create();
  if (!m) return printf("%s\n", kinds_problem()), 3;
  kinds_destroy(m);
  return 0;
}
END
gcc -Ofast -flto -Iportable -DKINDS_ALONE host.c portable/kinds.c -o host -lm && ./host || fail "a host with -Ofast"
expect_status 0 gcc -ffast-math -w -Ibare -DKINDS_ALONE host.c bare/kinds.c -o host -lm
expect_status 3 ./host
expect_contains "$(cat stdout)" "this program would compute wrong numbers, because"

# The emitted C is compiled in several languages, at several levels, by several compilers, with several C libraries.
standards='c99 c2x'
everything && standards='c99 c11 c17 c2x gnu11 gnu17 gnu2x'
for compiler in gcc clang-19; do
  command -v $compiler >/dev/null || continue
  for standard in $standards; do
    for target in "${targets[@]}"; do
      $compiler -std=$standard -pedantic -Wall -Wextra -Werror -fsyntax-only $target/*.c || fail "$compiler -std=$standard, $target"
    done
  done
  for level in '-O0 -std=c99' '-O3 -std=c17'; do
    expect_equal "$(outcome portable $compiler $level)" same "$compiler $level"
  done
done
for compiler in tcc 'tcc -std=c99' 'tcc -std=c11' musl-gcc; do
  command -v ${compiler%% *} >/dev/null || { count_skip "no $compiler"; continue; }
  expect_equal "$(outcome portable $compiler)" same "$compiler"
done

# Subnormal numbers stay when a program is linked to flush them.
gcc -O2 -c portable/*.c && gcc -ffast-math kinds.o kinds_main.o lamella.o lamella_runtime.o -o program -lm
./program train --overwrite --quiet --out w.st >/dev/null
cmp w.st portable/plain.st || fail "linked with -ffast-math"

# On a processor without the instructions a program ends with a message, and not by SIGILL.
if command -v qemu-x86_64 >/dev/null; then
  for target in "${targets[@]}"; do
    [[ $target == portable ]] && continue
    gcc -O2 $target/*.c -o program -lm
    for processor in Nehalem SandyBridge $([[ $target == avx512 ]] && echo Haswell); do
      expect_status 1 qemu-x86_64 -cpu $processor ./program info
      expect_contains "$(cat stderr)" "error: this program is made for processors with $target"
      expect_status 1 qemu-x86_64 -cpu $processor "$LAMELLA_BUILD/lamella" run "$spec" --target=$target info
      expect_contains "$(cat stderr)" "this machine cannot run code for $target"
    done
  done
  gcc -O2 portable/*.c -o program -lm
  expect_status 0 qemu-x86_64 -cpu Nehalem ./program info
else
  count_skip "no qemu-x86_64"
fi
