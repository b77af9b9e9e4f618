#!/usr/bin/env bash
# slow
# --batch=SIZE,...: the model once more for a batch of each size, as routines of their own. They compute what predict computes, and the
# verb predict takes the sizes that its rows fill.
. "$(dirname "$0")/../lib.sh"
strict=(gcc -std=c11 -O0 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wdouble-promotion -Wcast-qual -Werror)

# A model whose numbers are known: whole ones, so that every order of sums gives the same.
cat >line.lam <<'END_SPEC'
axis feature = 3
axis out = 2
axis kinds = 4
model line(x[feature], kind in kinds) -> y[out] {
  param weight[feature, out] = 1
  param table[kinds, out] = 2
  return x @feature weight + table[kinds = kind]
}
END_SPEC
lamella emit line.lam --target=portable -D batch=5 --batch=1,32 -o line
cat >line.c <<'END_C'
#include <stdio.h>
#include <string.h>
#include "line.h"
#include "lamella.h"

/* Rows `first` to first + size - 1 by a routine: x = [row, row + 1, -2], kind = row % 4. */
#define TRY(routine, size, first)                                                                                  \
  do {                                                                                                             \
    for (int row = 0; row < size; row++) {                                                                         \
      float *x = m->routine.x + 3 * row;                                                                           \
      x[0] = (float)(first + row), x[1] = (float)(first + row + 1), x[2] = -2;                                     \
      m->routine.kind[row] = (first + row) % 4;                                                                    \
    }                                                                                                              \
    if (line_##routine(m)) return puts(line_message(m)), 1;                                                        \
    for (int row = 0; row < size; row++)                                                                           \
      for (int k = 0; k < 2; k++) {                                                                                \
        const int n = first + row, want = n * (k + 1) + (n + 1) * (k + 3) - 2 * (k + 5) + 10 * (n % 4) + k;        \
        if (m->routine.y[2 * row + k] != (float)want) return printf(#routine ": row %d, y[%d]\n", row, k), 1;      \
      }                                                                                                            \
  } while (0)

int main(void) {
  struct line *m = line_create();
  if (!m) return 1;
  /* weight[f, k] = 2 f + k + 1, table[kind, k] = 10 kind + k */
  for (int i = 0; i < 6; i++) m->parameters.weight[i] = (float)(i + 1);
  for (int i = 0; i < 8; i++) m->parameters.table[i] = (float)(i / 2 * 10 + i % 2);
  if (LINE_BATCH != 5 || LINE_PREDICT_BATCH != 5 || LINE_PREDICT_1_BATCH != 1 || LINE_PREDICT_32_BATCH != 32) return 1;
  TRY(predict, LINE_PREDICT_BATCH, 0);
  TRY(predict_1, LINE_PREDICT_1_BATCH, 7);
  TRY(predict_32, LINE_PREDICT_32_BATCH, 3);
  for (int single = 0; single < 9; single++) TRY(predict_1, 1, single);
  /* Ports by name, each with the shape of its own batch; and inputs that lead elsewhere. */
  struct line_array one, many;
  if (line_port(m, "predict_1.x", &one) || one.data != m->predict_1.x || one.shape[0] != 1 || one.shape[1] != 3) return 1;
  if (line_port(m, "predict_32.y", &many) || many.data != m->predict_32.y || many.shape[0] != 32) return 1;
  if (!line_port(m, "predict_2.x", &one) || !line_port(m, "predict_.x", &one)) return 1;
  float own[3 * 32];
  m->predict_32.x = own;
  TRY(predict_32, 32, 100);
  /* An id that is none is refused by each for itself. */
  m->predict_1.kind[0] = 4;
  if (line_predict_1(m) != LINE_WRONG_ARGUMENT) return 1;
  puts(line_message(m));
  m->predict_32.kind[31] = -1;
  if (line_predict_32(m) != LINE_WRONG_ARGUMENT || line_predict(m)) return 1;
  line_destroy(m);
  return 0;
}
END_C
"${strict[@]}" -Iline line.c line/line.c line/lamella.c -o line_program -lm || fail "line"
expect_equal "$(./line_program)" "line_predict_1: kind must be from 0 to 3"
"${strict[@]}" line/*.c -o line_verbs -lm || fail "the command line of line"

# A table of four bytes' numbers in safetensors: tensor FILE NAME SHAPE TYPE NUMBER...
tensor() {
  python3 -c '
import json, struct, sys
path, name, shape, kind, *numbers = sys.argv[1:]
head = json.dumps({name: {"dtype": kind, "shape": json.loads(shape), "data_offsets": [0, 4 * len(numbers)]}}).encode()
values = struct.pack("<%d%s" % (len(numbers), "f" if kind == "F32" else "i"), *map(float if kind == "F32" else int, numbers))
open(path, "wb").write(struct.pack("<Q", len(head)) + head + values)' "$@"
}

# A model with attention, of which the verb predict sees 33 rows: 32 and 1, or 13 of 2 and half a one, or 9 of its own 4.
cat >net.lam <<'END_SPEC'
use "std/transformer.lam"
use "std/optim.lam"
axis vocab = 16
axis pos = 8
axis seq <= pos
axis embed = 16
axis head = 2
axis key = embed / head
axis hidden = 2 * embed
model net(tokens[seq] in vocab) -> logits[seq, vocab] {
  x = wte: embedding(tokens, vocab, embed) + wpe: embedding(position(seq), pos, embed)
  x = x + attn: causal_attention(ln_1: layernorm(x, embed))
  x = x + mlp: mlp(ln_2: layernorm(x, embed), gelu_tanh)
  return head: dense(x, embed, vocab)
}
data letters { text = "text.txt"; tokenizer = char; split = 0.8 }
train net on letters {
  loss = cross_entropy(logits, next, vocab), weight
  optimizer = adamw(lr = 0.01)
  batch = 4; steps = 2; average = ema(0.5); seed = 7
}
generate net { over = seq; feed = tokens; from = logits }
END_SPEC
printf 'abcdefgh gfedcba. %.0s' {1..60} >text.txt
head -c 264 text.txt >rows.txt # 33 windows
lamella emit net.lam --target=portable -o plain
lamella emit net.lam --target=portable --batch=1,32 -o several
lamella emit net.lam --target=portable --only=predict_1 --batch=1,32 -o one
lamella emit net.lam --target=portable --batch=1,32 --bench -o timed
for program in plain one; do "${strict[@]}" $program/*.c -o $program/program -lm || fail "$program"; done
"${strict[@]}" -O1 timed/*.c -o timed/program -lm || fail timed # bench measures the peaks of the machine, too
plain/program train --quiet --out net.safetensors
timed/program train --quiet --out other.safetensors
cmp net.safetensors other.safetensors || fail "training gives other weights"
for program in plain timed one; do
  $program/program predict --data rows.txt --weights net.safetensors --out $program.out
  $program/program predict --data rows.txt --weights net.safetensors >$program.txt
  cmp plain.out $program.out || fail "$program predicts other numbers"
  diff plain.txt $program.txt || fail "$program prints other predictions"
done
# batches PROGRAM OPTIONS...: the routines that the verb predict runs, in order.
batches() { "$@" --weights net.safetensors --out traced.out --trace trace.json >/dev/null && grep -o '"predict[_0-9]*"' trace.json | tr -d '"' | xargs; }
expect_equal "$(batches timed/program predict --data rows.txt)" "predict_32 predict_1"
cmp plain.out traced.out || fail "the traced program predicts other numbers"
head -c 120 text.txt >rows.txt # 15
expect_equal "$(batches timed/program predict --data rows.txt)" "predict predict predict predict"
head -c 128 text.txt >rows.txt # 16 fill a half
expect_equal "$(batches timed/program predict --data rows.txt)" "predict_32"
expect_equal "$(batches timed/program predict --input tokens=1,2,3,4,5,6,7,8)" "predict_1"
timed/program bench --graph predict_1 --steps 3 | grep -q '^net, predict_1: ' || fail "bench predict_1"
expect_contains "$(timed/program info)" "predict_32 <- tokens [batch=32, seq=8] integer"
expect_equal "$(timed/program info | sed 's/_[0-9]*//' | grep -c ' predict')" 6
expect_equal "$(sed -n 's/^int net_\(predict[_0-9]*\)(.*/\1/p' several/net.h | xargs)" "predict predict_1 predict_32"
expect_equal "$(sed -n 's/^int net_\([a-z]*[_0-9]*\)(struct net \*m[,)].*/\1/p' one/net.h | grep '^predict\|^step\|^train')" "predict_1"
# All else is as without the option.
for part in 'struct net_train_ports' 'struct net_step_ports' 'struct net_caches' 'struct net_predict_ports'; do
  diff <(sed -n "/^$part/,/^}/p" plain/net.h) <(sed -n "/^$part/,/^}/p" several/net.h) || fail "$part"
done
diff plain/lamella.c several/lamella.c || fail "the library"
if grep -n 'lam_choose_size\|predict_1' plain/*.[ch]; then fail "a program with one size chooses among several"; fi

# The interpreter has the routines, too; predictions are those of C but for rounding.
numbers() { python3 -c '
import json, struct, sys
bytes = open(sys.argv[1], "rb").read()
size = struct.unpack("<Q", bytes[:8])[0]
for x in struct.unpack("<%df" % ((len(bytes) - 8 - size) // 4), bytes[8 + size:]): print(repr(x))' "$1"; }
head -c 24 text.txt >rows.txt
timed/program predict --data rows.txt --weights net.safetensors --out c.out
lamella interpret net.lam predict --data rows.txt --weights net.safetensors --out plain.out
expect_equal "$(batches lamella interpret net.lam --batch=1,2 predict --data rows.txt)" "predict"
expect_equal "$(batches lamella interpret net.lam --batch=3 -D batch=9 predict --data rows.txt)" "predict_3"
cmp plain.out traced.out || fail "the interpreter depends on the batch"
near <(numbers plain.out) <(numbers c.out) 1e-5

# Fewer than four rows of a product are summed in another order, so the last bits differ.
cat >wide.lam <<'END_SPEC'
use "std/transformer.lam"
axis feature = 100
axis hidden = 20
axis class = 12
model wide(x[feature]) -> y[class] {
  return fc2: dense(relu(fc1: dense(x, feature, hidden, 0.1)), hidden, class, 0.2)
}
END_SPEC
lamella emit wide.lam --target=portable -D batch=12 --batch=1,3,4 -o wide
expect_contains "$(lamella show wide.lam --target=portable --batch=3 --stage=clusters --graph=predict_3)" "contraction by dot products over [batch=3, hidden=20]"
cat >wide.c <<'END_C'
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "wide.h"
#define TRY(routine, size)                                                                                        \
  for (int first = 0; first < 12; first += size) {                                                                \
    memcpy(m->routine.x, m->predict.x + first * WIDE_FEATURE, sizeof(float) * size * WIDE_FEATURE);               \
    if (wide_##routine(m)) return 1;                                                                              \
    for (int i = 0; i < size * WIDE_CLASS; i++)                                                                   \
      printf("%.9g %.9g\n", (double)m->predict.y[first * WIDE_CLASS + i], (double)m->routine.y[i]);               \
  }
int main(void) {
  struct wide *m = wide_create();
  if (!m) return 1;
  wide_initialize(m, 3);
  for (int i = 0; i < 12 * WIDE_FEATURE; i++) m->predict.x[i] = (float)((i * 7919) % 1000) / 500 - 1;
  if (wide_predict(m)) return 1;
  TRY(predict_1, 1)
  TRY(predict_3, 3)
  TRY(predict_4, 4)
  wide_destroy(m);
  return 0;
}
END_C
"${strict[@]}" -Iwide wide.c wide/wide.c wide/lamella.c -o wide_program -lm || fail "wide"
./wide_program >pairs
[[ $(wc -l <pairs) == 432 ]] || fail "not 3 times 12 rows of 12"
near <(cut -d ' ' -f 1 pairs) <(cut -d ' ' -f 2 pairs) 1e-5
awk '$1 != $2' pairs | grep -q . || fail "the sums of three rows are those of twelve: say so in docs/vendoring.md"
tail -n 144 pairs | awk '$1 != $2 { print; bad = 1 } END { exit bad }' || fail "the sums of four rows are not those of twelve"

# A model that mixes examples: each routine is a call with its own batch, and the verb keeps to the spec's.
cat >mix.lam <<'END_SPEC'
use "std/optim.lam"
model mix(x) -> y {
  param scale = 2
  return scale * (x - mean(x, batch))
}
data five { examples = 5; x = 0.5 * index; target = 0.5 * index }
train mix on five { loss = (y - target)^2, 1; optimizer = sgd(lr = 0.1); batch = 2; steps = 1 }
END_SPEC
tensor mix.safetensors scale '[]' F32 2
tensor mix.in x '[5]' F32 0 1 4 9 16
lamella interpret mix.lam predict --weights mix.safetensors --inputs mix.in >expected.txt
expect_equal "$(cat expected.txt)" "0  y -1
1  y 1
2  y -5
3  y 5
4  y 0" "x - mean of pairs, twice"
lamella interpret mix.lam --batch=1,4 predict --weights mix.safetensors --inputs mix.in | diff expected.txt - || fail "interpreted mix"
lamella build mix.lam --batch=4,1 --cc=gcc -O0 --openmp=none -o mix
./mix predict --weights mix.safetensors --inputs mix.in | diff expected.txt - || fail "mix"
lamella emit mix.lam --target=portable --batch=4 --only=predict_4 -o four
"${strict[@]}" four/*.c -o mix4 -lm || fail "mix of four"
expect_equal "$(./mix4 predict --weights mix.safetensors --inputs mix.in)" "0  y -7
1  y -5
2  y 1
3  y 11
4  y 0"

# In memory, and with values that --dump keeps.
if lamella run mix.lam -O0 --batch=4 --only=predict_4 predict --weights mix.safetensors --inputs mix.in >out.txt 2>messages; then
  expect_equal "$(cat out.txt)" "$(./mix4 predict --weights mix.safetensors --inputs mix.in)"
  lamella run net.lam -O0 --target=portable --batch=2 --dump='attn.*' predict --data rows.txt --weights net.safetensors --out dumped.out >/dev/null
  lamella run net.lam -O0 --target=portable --dump='attn.*' predict --data rows.txt --weights net.safetensors --out plain.out >/dev/null
  cmp dumped.out plain.out || fail "values that --dump keeps"
else
  grep -q "built without LLVM" messages || { cat messages; fail "run --batch"; }
fi
expect_contains "$(lamella check net.lam --batch=1,32)" "graphs train, evaluate, predict, step, predict_1, predict_32"
expect_equal "$(lamella show net.lam --batch=7 --stage=tensor --graph=predict_7 | head -1)" "graph predict_7"

# Several specs have the same sizes each; and as many sizes as there may be are one program with training and generation.
lamella emit line.lam net.lam --target=portable --batch=2 -o both
"${strict[@]}" -DLAMELLA_NO_MAIN -c both/*.c || fail "two specs"
grep -q line_predict_2 both/line.h && grep -q net_predict_2 both/net.h || fail "two specs"
lamella emit net.lam --target=portable --batch="$(seq -s , 16)" -o sixteen
gcc -std=c11 -O0 -Wall -Wextra -Werror sixteen/*.c -o sixteen_program -lm || fail "sixteen sizes"
printf 'abcdefgh' >rows.txt
expect_equal "$(./sixteen_program predict --data rows.txt --weights net.safetensors)" "$(plain/program predict --data rows.txt --weights net.safetensors)"

# Words for what cannot be.
refused() { # ARGUMENT MESSAGE
  expect_status 2 lamella emit line.lam "--batch=$1" -o refused
  expect_contains "$(head -1 stderr)" "lamella emit: --batch=$1: $2"
  [[ ! -e refused ]] || fail "something was written for --batch=$1"
}
for size in 0 -1 "" x 1.5 0x2 +1 2147483648 99999999999999999999; do
  refused "$size" "'$size' is no size of a batch; give whole numbers from 1 to 2147483647, such as --batch=1,32"
done
refused "1,,2" "'' is no size of a batch"
refused "1," "'' is no size of a batch"
refused "1,2 3" "'2 3' is no size of a batch"
refused "1,32,1" "1 comes twice; give each size once"
refused "$(seq -s , 17)" "these are more than 16 sizes; give fewer"
expect_status 1 lamella emit "$SPECS/shakespeare.lam" --batch=1,2147483647 -o refused
expect_contains "$(cat stderr)" "and more than 2^40 are not supported"
expect_contains "$(cat stderr)" "--batch:1:3: note: in predict_2147483647, which this asks for"
sed 's/mean(x, batch)/x[batch = 1]/' mix.lam >second.lam
expect_status 0 lamella check second.lam
expect_status 1 lamella check second.lam --batch=4,1
expect_contains "$(cat stderr)" "index 1 is not in axis batch, which has 0 to 0"
expect_contains "$(cat stderr)" "--batch:1:3: note: in predict_1, which this asks for"
expect_status 1 lamella emit net.lam --batch=1 --only=step,train -o refused
expect_contains "$(cat stderr)" "--only:1:1: error: --batch is for predict, which --only leaves out; add predict, or leave out --batch"
expect_status 1 lamella emit net.lam --batch=2 --only=predict_1 -o refused
expect_contains "$(cat stderr)" "this program has no routine 'predict_1', which --batch=1 would give it; it has train, evaluate, predict, predict_2, step"
[[ ! -e refused ]] || fail "something was written"
# A constant of a routine keeps its name where an axis is called so.
cat >clash.lam <<'END'
axis predict_1_batch = 5
axis width = 2
model clash(x[width]) -> y[predict_1_batch] { param w[width, predict_1_batch] = 1
  return x @width w }
END
lamella emit clash.lam --target=portable --batch=1 -o clash
grep -q 'CLASH_PREDICT_1_BATCH = 1,' clash/clash.h || fail "$(grep -A9 'enum clash_extent' clash/clash.h)"
