#!/usr/bin/env bash
# slow
# Models of one program are emitted by one command or one after the other: one runtime has what each of them needs, and
# each computes what it computes alone.
. "$(dirname "$0")/../lib.sh"

cat >letters.lam <<'END'
use "std/transformer.lam"
use "std/optim.lam"
axis vocab = 12
axis seq = 6
axis embed = 8
axis head = 2
axis key = embed / head
axis hidden = 16
model net(tokens[seq] in vocab) -> logits[seq, vocab] {
  x = wte: embedding(tokens, vocab, embed)
  repeat h[2] { x = x + attn: causal_attention(ln_1: layernorm(x, embed)) }
  return out: dense(x, embed, vocab)
}
data text { text = "text.txt"; tokenizer = char; split = 0.8 }
train net on text { loss = cross_entropy(logits, next, vocab), weight; optimizer = adamw(lr = 0.01); batch = 2; steps = 3 }
generate net { over = seq; feed = tokens; from = logits }
END
cat >table.lam <<'END'
use "std/layers.lam"
use "std/loss.lam"
use "std/optim.lam"
axis class = 3
model net(width, height) -> y[class] {
  param w[class] ~ normal(1)
  param v[class] ~ normal(1)
  param b[class] = 0
  return width * w + height * v + b
}
data rows { csv = "rows.csv"; split = 0.75; width = number("width"); height = number("height"); kind = category("kind", class) }
train net on rows { loss = cross_entropy(y, kind, class); optimizer = adam(lr = 0.1); batch = 2; steps = 5 }
END
printf 'abcdefghij gfedcba. %.0s' {1..20} >text.txt
printf 'width,height,kind\n1,2,small\n4,9,large\n2,3,small\n5,7,medium\n8,8,large\n3,4,medium\n1,1,small\n9,7,large\n' >rows.csv

mkdir alone
strict=(-std=c11 -O0 -Wall -Wextra -Werror)
# Each model is first run alone, for its weights, its predictions and its output.
for name in letters table; do
  lamella emit $name.lam --target=portable -o alone/$name
  gcc "${strict[@]}" alone/$name/*.c -o $name -lm || fail "$name alone"
  ./$name train --quiet --out $name.safetensors >/dev/null
  for verb in predict eval; do ./$name $verb --weights $name.safetensors >$name.$verb.txt; done
done
./letters generate --weights letters.safetensors --prompt abc --tokens 9 >letters.generate.txt 2>/dev/null
if grep -q lam_csv alone/letters/*; then fail "a model of text alone has lam_csv"; fi
if grep -q lam_text_reader alone/table/*; then fail "a model of a table alone has lam_text_reader"; fi

cat >use.c <<'END'
#include <stdio.h>
#include <string.h>
#include "letters.h"
#include "table.h"
int lam_main(struct lam_program *program, int argc, char **argv);
int main(int argc, char **argv) {
  if (argc > 2) return lam_main(strcmp(argv[1], "letters") ? table_program() : letters_program(), argc - 1, argv + 1);
  struct letters *x = letters_create();
  struct table *y = table_create();
  if (!x || !y || letters_load(x, "letters.safetensors") || table_load(y, "table.safetensors")) return 1;
  for (int i = 0; i < 6; i++) x->predict.tokens[i] = i + 1;
  y->predict.width[0] = 3, y->predict.height[0] = 5;
  if (letters_predict(x) || table_predict(y)) return 1;
  printf("top");
  for (int i = 0; i < 6; i++) {
    int best = 0;
    for (int k = 1; k < 12; k++)
      if (x->predict.logits[12 * i + k] > x->predict.logits[12 * i + best]) best = k;
    printf(" %d", best);
  }
  printf("\ny %.6g %.6g %.6g\n", y->predict.y[0], y->predict.y[1], y->predict.y[2]);
  letters_destroy(x);
  table_destroy(y);
  return 0;
}
END
values="top $(./letters predict --weights letters.safetensors --input tokens=1,2,3,4,5,6 | sed 's/.* top //')
y $(./table predict --weights table.safetensors --input width=3 --input height=5 | sed 's/.* y \([^t]*\) top.*/\1/')"

# together FOLDER: both models of the folder, linked into one program, print what each prints alone.
together() {
  gcc "${strict[@]}" -DLAMELLA_NO_MAIN -I"$1" "$1"/*.c use.c -o use -lm || fail "two models of $1 in one program"
  expect_equal "$(./use)" "$values" "values of two models of $1"
  for name in letters table; do
    for verb in predict eval; do
      ./use $name $verb --weights $name.safetensors | diff $name.$verb.txt - || fail "$1: $verb of $name"
    done
  done
  ./use letters generate --weights letters.safetensors --prompt abc --tokens 9 2>/dev/null | diff letters.generate.txt - || fail "$1: generate"
}
lamella emit letters.lam table.lam --target=portable -o both
together both
expect_equal "$(ls both | xargs)" "lamella.c lamella.h lamella_runtime.c lamella_runtime.h letters.c letters.h letters_main.c table.c table.h table_main.c"
for name in letters table; do
  for file in $name.c $name.h ${name}_main.c; do cmp both/$file alone/$name/$file || fail "$file differs from that of $name alone"; done
done
awk 'length > 120 { print FILENAME ":" FNR; bad = 1 } END { exit bad }' both/* || fail "long lines"

# Emitted one after the other, in either order, and once more, they give the same files.
for order in "letters table" "table letters" "letters table letters"; do
  rm -rf after
  for name in $order; do lamella emit $name.lam --target=portable -o after; done
  diff -r both after || fail "$order, one after the other, are not those of one command"
done
# The runtime has nothing for files that are no models, nor what a model needed before it was emitted anew or removed.
rm after/table*
printf '#include "lamella_runtime.h"\n' >after/app_main.c
lamella emit letters.lam --target=portable -o after
cmp after/lamella_runtime.c alone/letters/lamella_runtime.c || fail "a runtime for a model that is gone"
rm -rf after
lamella emit table.lam --target=portable --bench -o after
lamella emit letters.lam --target=portable -o after
gcc "${strict[@]}" -DLAMELLA_NO_MAIN -Iafter after/*.c use.c -o use -lm || fail "a model with the verb bench beside one without"
expect_equal "$(./use)" "$values"
expect_contains "$(./use table bench --steps 5)" "outside kernels"
lamella emit table.lam --target=portable -o after
diff -r both after || fail "bench stays after its model was emitted without"

# A runtime has one type of reals and is of one version: models that would not link with it are refused, and nothing is
# written.
unchanged() {
  expect_status "$1" lamella emit "${@:3}"
  expect_contains "$(cat stderr)" "$2"
  diff -r both after || fail "something was written by: emit ${*:3}"
}
unchanged 1 "after/letters_main.c has reals of float, and a runtime has one kind" table.lam --target=reference -o after
expect_contains "$(cat stderr)" "emit its spec together with this one, or this one into another folder"
lamella emit letters.lam table.lam --target=reference -o after
sed -i '2s/as Lamella [^ ]*/as Lamella 0.0.0/' after/letters_main.c
expect_status 1 lamella emit table.lam --target=reference -o after
expect_contains "$(cat stderr)" "after/letters_main.c was written by another version of Lamella"
sed -i '2s/Of lamella.c/Nothing/' after/letters_main.c
expect_status 1 lamella emit table.lam --target=reference -o after
expect_contains "$(cat stderr)" "after/letters_main.c does not say what it needs of the runtime"
lamella emit letters.lam table.lam --target=portable -o after
diff -r both after

# Two models cannot both have these names.
mkdir other
cp letters.lam other/letters.lam
cp letters.lam Table.lam
cp letters.lam table_main.lam
cp letters.lam table_parameters.lam
cp letters.lam table_status.lam
unchanged 1 "letters.lam and other/letters.lam would both have the name letters; emit one of them by itself into the same folder, with another name by --name" letters.lam other/letters.lam -o after
unchanged 1 "would both have the name Table" table.lam Table.lam -o after
unchanged 1 "table.lam and table_main.lam would both have the file table_main.c" table_main.lam table.lam -o after
unchanged 1 "table.lam and table_parameters.lam would both have struct table_parameters" table.lam table_parameters.lam -o after
unchanged 1 "table.lam and table_status.lam would both have enum table_status" table.lam table_status.lam -o after
unchanged 1 "Table.lam and the model table that is there would both have the name" Table.lam --target=portable -o after
unchanged 1 "the model table that is there and table_parameters.lam would both have struct table_parameters" table_parameters.lam --target=portable -o after
unchanged 2 "--name names one spec; emit the specs one after the other into the same folder" letters.lam table.lam --name=two -o after

# Options hold for all specs; the errors of all are shown, and then nothing is written.
lamella emit letters.lam table.lam --target=portable -D train.batch=3 --only=predict -o options
expect_equal "$(grep -ho '^int [a-z]*_\(train\|predict\|evaluate\|step\)(' options/*.h | xargs)" "int letters_predict( int table_predict("
expect_contains "$(cat options/letters.h)" "*tokens; /* [batch=3, seq=6] */"
unchanged 1 "-D embed=16:1:1: error: nothing in this spec is called 'embed'" letters.lam table.lam -D embed=16 -o after
expect_contains "$(cat stderr)" "note: table.lam cannot be emitted, so nothing is written"
printf 'model m(x) -> y { return z }\n' >wrong.lam
unchanged 1 "wrong.lam:1:26: error" wrong.lam letters.lam missing.lam -o after
expect_contains "$(cat stderr)" "missing.lam cannot be read"
expect_status 2 lamella build letters.lam table.lam
expect_contains "$(cat stderr)" "this verb takes one spec, and 'table.lam' is another"
