#!/usr/bin/env bash
# Categories of a table by the library: what it learned and saved the command line predicts with, and the other way round. Models without
# such columns have no such functions.
. "$(dirname "$0")/../lib.sh"

strict=(-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wdouble-promotion -Wcast-qual -Werror)
cat >table.lam <<'END_OF_SPEC'
use "std/loss.lam"
use "std/optim.lam"
axis color = 3
axis class = 2
model table(c in color, x: real) -> logits[class] {
  param row[color, class] ~ normal(0.5)
  return row[color = c] * x
}
data rows { csv = "rows.csv"; c = category("color", color); x = number("x"); kind = category("kind", class) }
train table on rows { loss = cross_entropy(logits, kind, class); optimizer = sgd(lr = 0.5); batch = 2; epochs = 30 }
END_OF_SPEC
printf 'color,x,kind\nred,1,a\ngreen,1,b\nblue,1,a\n' >rows.csv
lamella emit table.lam --target=portable -o table
gcc -O1 table/*.c -o program -lm
./program train --quiet --out trained.safetensors >out.txt
gcc "${strict[@]}" -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Itable "$LAMELLA_ROOT/tests/library/categories.c" \
  table/table.c table/lamella.c -Wl,--wrap=malloc,--wrap=realloc -o categories -lm || fail "categories.c"
./categories trained.safetensors written.safetensors >out.txt 2>&1 || { tail -n 30 out.txt; fail "categories"; }

# Its ids are those of the library's training, in which green came first.
./program predict --weights written.safetensors --data rows.csv >out.txt || fail "predict"
expect_equal "$(sed 's/.*top //' out.txt)" "1
0
1" "what the command line predicts with the library's weights"
LC_ALL=C grep -aq '"categories:color":"green\\u0000red\\u0000blue\\u0000"' written.safetensors || fail "the categories in the file"
cp written.safetensors resumed.safetensors
./program train --resume --quiet --steps 61 --out resumed.safetensors >out.txt 2>&1 || { cat out.txt; fail "a resume of what the library saved"; }

# Prediction alone knows the names of its classes too, though no input has them; weights that are a part of it cannot be learned.
lamella emit table.lam --target=portable --only=predict --weights=written.safetensors -o only
cat >use.c <<'END_OF_C'
#include <stdio.h>
#include "table.h"
int main(void) {
  struct table *m = table_create();
  const char *name;
  int32_t id;
  if (!m || table_encode_category(m, "color", "green", &id) || table_decode_category(m, "kind", id, &name)) return 1;
  puts(name);
  table_destroy(m);
  return 0;
}
END_OF_C
gcc "${strict[@]}" -Ionly use.c only/table.c only/table_weights.c only/lamella.c -o use -lm
expect_equal "$(./use)" "b" "a category of weights that are a part of the program"
if grep -q learn_categories only/table.h; then fail "categories that are a part of the program can be learned"; fi
lamella emit "$SPECS/gpt2.lam" -o text
if grep -q '_categor[a-z]*(' text/gpt2.h text/lamella.c; then fail "a model of texts has functions of categories"; fi
