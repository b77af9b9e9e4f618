#!/usr/bin/env bash
# Whatever a model does with a parameter, reading it in the two factors of an adapter gives what adding their product to it gives:
# multiplied from either side, looked up, an expert's, views that keep to one factor or mix both, and element by element.
. "$(dirname "$0")/../lib.sh"
cat >ways.lam <<'END_SPEC'
use "std/optim.lam"

axis vocab  = 7
axis seq    = 4
axis part   = 2
axis half   = 3
axis e      = part * half
axis f      = 5
axis expert = 3
axis all    = e * f

model ways(t[seq] in vocab, x[e], c in expert) -> y[seq, vocab], back[e], chosen[f], cut[f], size, both {
  param tied[vocab, e]      ~ normal(0.4)
  param only[vocab, e]      ~ normal(0.4)
  param w[e, f]             ~ normal(0.4)
  param many[expert, e, f]  ~ normal(0.4)
  param pieces[e, f]        ~ normal(0.4)
  param kept[e, f]          ~ normal(0.4)
  h = tied[vocab = t] + only[vocab = t] + x
  back = (x @e w) @f w
  p = pieces[e -> part * half]
  q = x[e -> part * half]
  cut = q[part = 0] @half p[part = 1] + sum(q @half p, part)
  flat = kept[e * f -> all]
  return h @e tied, back, back @e many[expert = c], cut, sum(flat * flat, all), (x * (x @e kept)) @(e, f) kept
}

data d { examples = 12; x = normal(1, e); t = floor(uniform(0, 7, seq)); c = floor(uniform(0, 3)) }
train ways on d { loss = sum(y, vocab) ^ 2 + sum(back ^ 2, e) + sum(chosen, f) ^ 2 + sum(cut, f) ^ 2 + size + both ^ 2; optimizer = sgd(lr = 0.1); clip = 1; batch = 4; steps = 3 }
END_SPEC
rules='lora(2, "*")'
lamella interpret ways.lam train --out base.st >out.txt
lamella interpret ways.lam --verify --passes="$rules" train --init base.st --out adapters.st >out.txt
lamella interpret ways.lam --passes="$rules" info >info.txt
grep -q 'many/lora_A  *\[expert=3, e=6, rank=2\]' info.txt || fail "each expert has a first factor"
grep -q 'many/lora_B  *\[rank=2, expert=3, f=5\]' info.txt || fail "each expert has a second factor"
grep -q 'only/lora_A  *\[vocab=7, rank=2\]' info.txt || fail "the first factor of a table has what is looked up"
grep -q 'tied/lora_A  *\[e=6, rank=2\]' info.txt || fail "the first factor has what is summed over"
for name in y back chosen cut size both; do echo $name $name; done >results
as_added() { "$LAMELLA_BUILD/tests/tools/compare_tensors" added.st "$1" "$2" results; }
lamella interpret ways.lam predict --weights base.st --lora adapters.st --out added.st >out.txt
lamella interpret ways.lam predict --weights base.st --out base_alone.st >out.txt
! as_added base_alone.st 0.1 >out.txt || fail "the adapters change nothing"
for passes in "$rules" 'lora(2, merge = 1, "*")' "$rules, lora(2, merge = 1, \"w\", \"many\")"; do
  lamella interpret ways.lam --passes="$passes" predict --weights adapters.st --out factors.st >out.txt
  as_added factors.st 1e-6 || fail "$passes, interpreted"
  lamella run ways.lam --passes="$passes" -O0 predict --weights adapters.st --out factors.st >out.txt
  as_added factors.st 1e-5 || fail "$passes, compiled"
done

# What is frozen, and what is trained whole, is as the train block says.
sed 's/^train.*/&\n  /; s/steps = 3/for "only" { freeze = 0 }; for "w", "w\/lora_A" { freeze = 1 }; for "many*" { freeze = 1 }; steps = 3/' ways.lam >whole.lam
lamella interpret whole.lam --passes="$rules" train --init base.st --out whole.st >out.txt
frozen() { lamella interpret whole.lam --passes="$rules" info | sed -n 's/^  \([^ ]*\) .*, frozen$/\1/p' | grep -v alpha | tr '\n' ' '; }
expect_equal "$(frozen)" 'tied w many pieces kept w/lora_A '
grep -q '"only"' whole.st || fail "what is trained whole is not in the file"
lamella interpret whole.lam predict --weights base.st --lora whole.st --out added.st >out.txt
lamella interpret whole.lam --passes="$rules" predict --weights whole.st --out factors.st >out.txt
as_added factors.st 1e-6 || fail "with a parameter that is trained whole"

# A program in C loads the base and the adapters, in any order.
lamella emit ways.lam --passes="$rules" --only=predict -o vendored
cat >main.c <<'END_C'
#include <stdio.h>
#include <string.h>

#include "ways.h"

int main(int count, char **files) {
  struct ways *m = ways_create();
  for (int i = 1; i < count; i++)
    if (ways_load(m, files[i]) != WAYS_OK) return printf("%s\n", ways_message(m)), 1;
  memset(m->predict.x, 0, sizeof *m->predict.x);
  m->predict.x[0] = 1;
  if (ways_predict(m) != WAYS_OK) return 1;
  return printf("%.6f\n", (double)m->predict.back[0]), 0;
}
END_C
gcc -std=c11 -O1 -Wall -Werror -Ivendored main.c vendored/ways.c vendored/lamella.c -lm -o main
./main base.st adapters.st >first.txt
./main adapters.st base.st >second.txt
cmp first.txt second.txt || fail "the order of loading matters"
./main base.st >alone.txt
! cmp -s first.txt alone.txt || fail "the adapters were not loaded"
