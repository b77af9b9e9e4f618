#!/usr/bin/env bash
# --name=PREFIX names all that is emitted, so that two models of one spec can be parts of one program.
. "$(dirname "$0")/../lib.sh"

small=(-D embed=16 -D head=2 -D vocab=8 -D seq=4 -D repeat.h=2 -D data.tokenizer=char -D data.split=1 --target=portable)
lamella emit "$SPECS/gpt2.lam" "${small[@]}" --name=tiny -o out
expect_equal "$(ls out)" "lamella.c
lamella.h
lamella_runtime.c
lamella_runtime.h
tiny.c
tiny.h
tiny_main.c"
# The names of the spec and of its model do not change.
expect_equal "$(grep -oh '[^ ]* [^ ]*gpt2[^ ]*' out/* | tr -d ',;')" "model gpt2
of gpt2.lam
= \"gpt2\"" "what is called gpt2"
grep -q '^#ifndef TINY_H' out/tiny.h || fail "the header's guard"

# What the optimizer keeps for a parameter is spelt as the parameter is, which no macro or keyword may be.
cat >capitals.lam <<'END'
use "std/optim.lam"
axis n = 3
model capitals(x[n]) -> y[n] {
  param EOF[n] ~ normal(1)
  param double[n] ~ normal(1)
  return EOF * x + double
}
data d { examples = 8; x = normal(1, n) }
train capitals on d { loss = y ^ 2; optimizer = lion(lr = 0.1); batch = 2; steps = 3 }
END
lamella emit capitals.lam --target=portable -o capitals
expect_equal "$(grep -o 'float \*eof.*' capitals/capitals.h | cut -d' ' -f2- | xargs)" "*eof, *double_; /* [n=3] */ *eof_m; /* EOF/m[n=3] */"

# Two models of one spec, the second named in capitals and small letters, share a runtime.
lamella emit "$SPECS/gpt2.lam" "${small[@]}" --name=twoFold -o out
cat >use.c <<'END'
#include <stdio.h>
#include "tiny.h"
#include "twoFold.h"
int main(void) {
  struct tiny *x = tiny_create();
  struct twoFold *y = twoFold_create();
  if (!x || !y) return 1;
  if (tiny_load(x, "tiny.safetensors") || twoFold_load(y, "twoFold.safetensors")) return 1;
  for (int i = 0; i < 4; i++) x->predict.tokens[i] = y->predict.tokens[i] = i;
  if (tiny_predict(x) || twoFold_predict(y)) return 1;
  for (int i = 0; i < 32; i++) printf("%.6g %.6g\n", x->predict.logits[i], y->predict.logits[i]);
  tiny_destroy(x);
  twoFold_destroy(y);
  return 0;
}
END
# Each has weights of its own, in a file of its name.
printf 'abcdefghhgfedcbaabcdefgh%.0s' {1..20} >text.txt
for name in tiny twoFold; do
  gcc -std=c11 -Wall -Wextra -Werror -O0 out/$name.c out/${name}_main.c out/lamella.c out/lamella_runtime.c -o $name -lm || fail "$name"
  ./$name train --data text.txt --steps 1 --quiet --seed ${#name} >log || { cat log; fail "$name train"; }
  [[ -s $name.safetensors ]] || fail "$name has no $name.safetensors"
done
gcc -std=c11 -Wall -Wextra -Werror -O0 -DLAMELLA_NO_MAIN -Iout out/*.c use.c -o use -lm || fail "two models of one spec"
./use >both.txt
expect_equal "$(awk '{ print $1 == $2 }' both.txt | sort | uniq -c | xargs)" "32 0" "logits alike from different weights"
cp tiny.safetensors twoFold.safetensors
./use >alike.txt
expect_equal "$(awk '{ print $1 == $2 }' alike.txt | sort | uniq -c | xargs)" "32 1" "logits alike from the same weights"
expect_equal "$(cut -d ' ' -f 1 alike.txt)" "$(cut -d ' ' -f 1 both.txt)" "tiny's logits"
expect_contains "$(./tiny --version)" "tiny, made by Lamella"

# build and run make the same program under that name.
lamella build "$SPECS/gpt2.lam" "${small[@]}" --name=tiny -c -o tiny.o
nm -g --defined-only tiny.o | awk '{print $3}' >symbols
grep -qx tiny_create symbols || fail "tiny.o has no tiny_create"
if grep gpt2 symbols; then fail "tiny.o has names of gpt2"; fi
rm tiny
lamella build "$SPECS/gpt2.lam" "${small[@]}" --name=tiny
expect_contains "$(./tiny info)" "program   tiny, model gpt2"
if lamella run "$SPECS/gpt2.lam" "${small[@]}" --name=tiny info >info.txt 2>messages; then
  expect_contains "$(cat info.txt)" "program   tiny, model gpt2"
  expect_contains "$(lamella run "$SPECS/gpt2.lam" "${small[@]}" info)" "program   gpt2, model gpt2"
else
  grep -q "built without LLVM" messages || { cat messages; fail "run --name"; }
fi

# Some names are refused.
refused() {
  expect_status 2 lamella emit "$SPECS/linear.lam" --name="$1" -o refused
  expect_contains "$(cat stderr)" "cannot be a name, since $2"
  [[ ! -e refused ]] || fail "something was written for --name=$1"
}
refused "" "it is empty"
refused 3d "it is no C identifier, which begins with a letter"
refused std "it is a word of C or C++"
refused size_t "C's headers have something of that name"
refused Lamella "the runtime is written to files of that name"
refused "$(printf 'a%.0s' {1..64})" "it has more than 63 characters"
for name in a-b "a b" a.b ä; do refused "$name" "it is no C identifier, which has letters, digits and underscores"; done
for name in int while typeof class namespace xor_eq; do refused $name "it is a word of C or C++"; done
for name in lam_x LAM_x run_x pthread_x _x; do refused $name "names that begin with"; done
refused TINY "it has no small letter, and names in capitals are macros"
refused stat "C's headers have something of that name"
for name in math stdio time immintrin; do refused $name "C has a header of that name"; done
refused timer "C's libraries have functions whose names begin so"
refused sqrt "emitted code has something of that name"
refused lamella_runtime "the runtime is written to files of that name"

# Files that Lamella did not write are not written over, and nothing else is written either; its own are, those of an earlier
# version and files without a byte, too.
lamella emit "$SPECS/linear.lam" -o mine
cp -r mine theirs
for file in linear.c linear.h linear_main.c lamella.c lamella.h lamella_runtime.c lamella_runtime.h; do
  printf '/* %s: mine, for use with Lamella */\nint mine;\n' $file >mine/$file
  cp -r mine before
  expect_status 1 lamella emit "$SPECS/linear.lam" -D train.batch=9 -o mine
  expect_contains "$(cat stderr)" "mine/$file is there, and Lamella did not write it: nothing is written; emit into another folder"
  diff -r before mine || fail "something was written beside $file of the user"
  rm -r before
  sed 's/Lamella 0[.0-9]*/Lamella 0.0.1/' theirs/$file >mine/$file
done
: >mine/linear.c
lamella emit "$SPECS/linear.lam" -o mine
diff -r theirs mine || fail "what was emitted before is written anew"
printf 'int main(void) { return 0; }\n' >mine/linear_weights.c # which only --weights writes
lamella emit "$SPECS/linear.lam" -o mine
expect_equal "$(cat mine/linear_weights.c)" "int main(void) { return 0; }"
