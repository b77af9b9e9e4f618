#!/usr/bin/env bash
# slow
# The number of threads and the language of the process do not change what a program does; a failed emit leaves nothing.
. "$(dirname "$0")/../lib.sh"
spec=$SPECS/linear.lam

# OpenMP's libraries abort at these values of OMP_NUM_THREADS.
lamella build "$spec" -o linear
expected=$(./linear train --overwrite --quiet --out plain.st 2>&1)
jit=1
lamella run "$spec" info 2>&1 | grep -q "built without LLVM" && { count_skip "no LLVM"; jit=0; }
for threads in '' ' ' abc -3 0 99999999999 2,x 2.5 100000 ,2; do
  expect_status 0 env OMP_NUM_THREADS="$threads" ./linear train --overwrite --quiet --out w.st
  cmp w.st plain.st || fail "OMP_NUM_THREADS='$threads'"
  # Without OpenMP there is no message.
  ldd ./linear | grep -q omp && expect_contains "$(cat stderr)" "note: OMP_NUM_THREADS is \"$threads\", which is no number from 1 to 4096: it is not used"
  [[ $jit == 0 ]] || expect_status 0 env OMP_NUM_THREADS="$threads" "$LAMELLA_BUILD/lamella" run "$spec" train --overwrite --quiet --out w.st
done
for threads in 1 ' 2 ' 2,1; do
  expect_equal "$(OMP_NUM_THREADS=$threads ./linear train --overwrite --quiet --out w.st 2>&1)" "$expected" "OMP_NUM_THREADS='$threads'"
done

# This program needs no file of data.
expect_status 1 ./linear train --data missing.csv --resume --out none.st
expect_status 1 lamella interpret "$spec" -D data.split=0 train --overwrite --out w.st
expect_contains "$(cat stderr)" "the training part of line is too short"
lamella build "$spec" -D data.split=0 -o nothing
expect_status 1 ./nothing train --overwrite --out w.st
expect_contains "$(cat stderr)" "the training part of line is too short"

# The language of this host writes numbers with a comma.
cat >table.lam <<'END'
use "std/optim.lam"
model m(x) -> y { param w = 0.5
  return w * x }
data d { csv = "table.csv"; x = number("x"); t = number("t") }
train m on d { loss = (y - t) ^ 2; optimizer = sgd(lr = 0.1); steps = 3; log = every(1) }
END
printf 'x,t\n1.5,2.25\n0.5,0.75\n' >table.csv
cat >host.c <<'END'
#include <locale.h>
#include <stdio.h>
#include <string.h>
int lamella_program(int argc, char **argv);
int main(int argc, char **argv) {
  char half[8];
  if (!setlocale(LC_ALL, "de_DE.UTF-8")) return 77;
  snprintf(half, sizeof half, "%.1f", 0.5);
  if (strcmp(half, "0,5")) return 78;
  int code = lamella_program(argc, argv);
  snprintf(half, sizeof half, "%.1f", 0.5);
  return strcmp(half, "0,5") ? 79 : code; /* the host's language is still its own */
}
END
mkdir locales
if command -v localedef >/dev/null && localedef -i de_DE -f UTF-8 locales/de_DE.UTF-8 2>messages; then
  export LOCPATH=$WORK/locales
  lamella emit table.lam -o emitted
  gcc -std=c11 -O1 -c -Dmain=lamella_program emitted/*.c
  gcc host.c table.o table_main.o lamella.o lamella_runtime.o -o host -lm
  lamella build table.lam -o plain
  ./plain train --overwrite --log plain.jsonl --out plain.st | grep -v '^step [123] ' >plain.txt
  ./host train --overwrite --log host.jsonl --out host.st | grep -v '^step [123] ' >host.txt
  cmp plain.st host.st || fail "weights by a host with decimal commas"
  diff plain.txt host.txt || fail "what is printed"
  losses plain.jsonl >plain.losses && losses host.jsonl >host.losses && [[ $(wc -l <host.losses) == 3 ]]
  diff plain.losses host.losses || fail "the log"
  expect_equal "$(./host predict --weights host.st --input x=2.5)" "$(./plain predict --weights plain.st --input x=2.5)" "predict"
  # The compiler does not care either.
  LC_ALL=de_DE.UTF-8 lamella emit table.lam -o again
  diff -r emitted again || fail "emit by another language"
else
  count_skip "no German to make a locale of (locales)"
fi

# An emit that fails leaves nothing of its own, and existing files stay.
mkdir full
mkdir full/table.c
expect_status 1 lamella emit table.lam -o full
expect_equal "$(ls full)" "table.c" "a folder in which a file cannot be made"
expect_status 1 lamella emit table.lam -o no/such/folder
[[ ! -e no ]] || fail "half a path was made"
(ulimit -f 8; trap '' XFSZ; expect_status 1 lamella emit table.lam -o limited)
[[ ! -e limited ]] || fail "a failed emit left $(ls -d limited limited/*)"
mkdir kept && echo mine >kept/notes
(ulimit -f 8; trap '' XFSZ; expect_status 1 lamella emit table.lam -o kept)
expect_equal "$(cat kept/notes)" mine "what was there"
[[ ! -e kept/table.c ]] || fail "half an output"
