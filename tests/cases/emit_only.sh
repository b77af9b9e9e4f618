#!/usr/bin/env bash
# slow
# --only=ROUTINE,... makes a program of these routines and what they need. It reads the weights of the whole program and
# computes the same from them; its text has nothing of what was left out.
. "$(dirname "$0")/../lib.sh"

cat >net.lam <<'END'
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
  repeat h[3] {
    x = x + attn: causal_attention(ln_1: layernorm(x, embed))
    x = x + dropout(mlp: mlp(ln_2: layernorm(x, embed), gelu_tanh), 0.1)
  }
  return head: dense(x, embed, vocab)
}
data letters { text = "text.txt"; tokenizer = char; split = 0.8 }
train net on letters {
  loss = cross_entropy(logits, next, vocab), weight
  optimizer = adamw(lr = 0.01)
  batch = 4; accumulate = 2; steps = 6; clip = 1.0; average = ema(0.5); seed = 7; eval = every(3)
}
generate net { over = seq; feed = tokens; from = logits }
END
printf 'abcdefgh gfedcba. %.0s' {1..60} >text.txt
options=(--target=portable)

# part NAME ROUTINES: makes the program NAME of these routines in the folder NAME, compiled as vendored source is.
part() {
  lamella emit net.lam "${options[@]}" ${2:+"--only=$2"} -o "$1"
  gcc -std=c11 -O0 -Wall -Wextra -Werror "$1"/*.c -o "$1/program" -lm || fail "$1"
}
verbs() { "$1/program" --help | sed -n 's/^  \([a-z]*\) .*/\1/p' | xargs; }
routines() { sed -n 's/^int net_\([a-z]*\)(struct net \*m[,)].*/\1/p' "$1/net.h" | grep -x 'train\|accumulate\|evaluate\|predict\|prepare\|step\|synthesize' | xargs; }
part whole ""
expect_equal "$(routines whole)" "train accumulate evaluate predict step"
whole/program train --out net.safetensors >whole.txt
grep -q validation whole.txt || fail "no validation"

# A forward-only program has parameters and the averages that prediction reads; from the weights that the whole program
# wrote it computes the same numbers.
part forward predict,step
expect_equal "$(routines forward)" "predict step"
expect_equal "$(verbs forward)" "generate predict info"
expect_equal "$(sed -n 's/^struct net_\([a-z_]*\) {/\1/p' forward/net.h | xargs)" "parameters averages caches derived predict_ports step_ports array"
for word in net_optimizer accumulat gradient loss_sum '"next"' weight_sum LAM_TRAIN; do
  if grep -n "$word" forward/net*; then fail "a program that predicts has $word"; fi
done
for word in lam_train_ lam_feed_ lam_evaluate lam_masking lam_progress; do
  if grep -n $word forward/*; then fail "a program that predicts has $word"; fi
done
# Its declarations are those of the whole program.
sed -n '/^struct net_parameters/,/^}/p; /^struct net_averages/,/^}/p' whole/net.h >expected.txt
sed -n '/^struct net_parameters/,/^}/p; /^struct net_averages/,/^}/p' forward/net.h | diff expected.txt - || fail "parameters"
[[ $(cat forward/net.c | wc -l) -lt $(($(cat whole/net.c | wc -l) * 2 / 3)) ]] || fail "the core is as long as before"
for program in whole forward; do
  $program/program predict --weights net.safetensors --out $program.out >/dev/null
  $program/program generate --weights net.safetensors --prompt abc --tokens 20 >$program.txt 2>/dev/null
done
cmp whole.out forward.out || fail "predictions differ"
cmp whole.txt forward.txt || fail "generated texts differ"
# It does so too from weights without averages, of which it reads the parameters.
lamella build net.lam "${options[@]}" --only=predict -o predict
cp net.safetensors given.safetensors
LC_ALL=C sed -i 's#/average"#/everage"#g' given.safetensors
for program in whole/program ./predict; do $program predict --weights given.safetensors --out ${program//[.\/]/}.out >/dev/null; done
cmp wholeprogram.out predict.out || fail "predictions without averages differ"
if cmp -s predict.out whole.out; then fail "the averages were not read"; fi

# These programs have one routine each. Training without evaluation writes the same weights, and goes on from those of
# the whole program.
part training train
expect_equal "$(routines training)" "train accumulate"
expect_equal "$(verbs training)" "train info"
training/program train --out training.safetensors >training.txt
cmp net.safetensors training.safetensors || fail "training alone gives other weights"
if grep validation training.txt; then fail "validation without evaluate"; fi
whole/program train --steps 9 --resume --out net.safetensors >/dev/null
training/program train --steps 9 --resume --out training.safetensors >/dev/null
cmp net.safetensors training.safetensors || fail "training alone resumes to other weights"
part evaluation eval # by the name of its verb
expect_equal "$(routines evaluation) $(verbs evaluation)" "evaluate eval info"
expect_equal "$(evaluation/program eval --weights net.safetensors)" "$(whole/program eval --weights net.safetensors)"
part generation generate
expect_equal "$(routines generation) $(verbs generation)" "step generate info"
if grep -q lam_text_reader generation/*; then fail "generation reads no text"; fi
expect_equal "$(generation/program generate --weights net.safetensors --tokens 9 2>/dev/null)" \
  "$(whole/program generate --weights net.safetensors --tokens 9 2>/dev/null)"
expect_contains "$(generation/program info)" "letters: unread text.txt, "
part all "train, evaluate,predict,step"
for file in net.c net.h net_main.c lamella.c lamella.h lamella_runtime.c lamella_runtime.h; do cmp whole/$file all/$file || fail "all routines are not the whole"; done

# The step of generation brings the routine that prepares a prompt; training and evaluation bring that of synthetic
# data.
expect_equal "$(lamella show "$SPECS/translate.lam" --only=step --stage=tensor | sed -n 's/^graph \([a-z]*\).*/\1/p' | xargs)" "prepare step"
expect_equal "$(lamella show "$SPECS/linear.lam" --only=train --stage=tensor | sed -n 's/^graph \([a-z]*\).*/\1/p' | xargs)" "train synthesize"
lamella build "$SPECS/linear.lam" --only=predict --cc=gcc -O0 -o linear
./linear bench --steps 5 | grep '^y' >/dev/null || fail "bench predict"
lamella run "$SPECS/linear.lam" train --quiet --out linear.safetensors >/dev/null || lamella interpret "$SPECS/linear.lam" train --out linear.safetensors >/dev/null
expect_contains "$(./linear predict --weights linear.safetensors --input x=2)" "0  y "
expect_status 1 ./linear predict --weights linear.safetensors
expect_contains "$(cat stderr)" "which inputs? --input or --inputs gives them"
lamella build "$SPECS/linear.lam" --only=predict,synthesize --cc=gcc -O0 -o linear
[[ $(./linear predict --weights linear.safetensors | wc -l) -gt 3 ]] || fail "no rows of synthetic data"

# `run` leaves out the same, and the cache tells the programs apart.
if lamella run "$SPECS/linear.lam" --only=predict predict --weights linear.safetensors --input x=2 >out.txt 2>messages; then
  expect_contains "$(cat out.txt)" "0  y "
  expect_status 2 lamella run "$SPECS/linear.lam" --only=predict train
  expect_contains "$(cat stderr)" "there is no verb train"
  expect_status 0 lamella run "$SPECS/linear.lam" train --steps 1 --quiet --out w.safetensors
else
  grep -q "built without LLVM" messages || { cat messages; fail "run --only"; }
fi

# Routines that the program does not have are refused.
refused() {
  local only=$1 spec=$2 column=$3
  shift 3
  expect_status 1 lamella emit "$spec" --only="$only" -o refused
  expect_contains "$(cat stderr)" "--only:1:$column: error: $*"
  [[ ! -e refused ]] || fail "something was written for --only=$only"
}
refused predct net.lam 1 "no routine is called 'predct'; did you mean 'predict'? This program has train, evaluate, predict, step"
refused step,generat net.lam 6 "no routine is called 'generat'; did you mean 'generate'? This program has train, evaluate, predict, step"
refused nothing net.lam 1 "no routine is called 'nothing'; this program has train, evaluate, predict, step"
refused predict,accumulate net.lam 9 "'accumulate' is a part of train and comes with it; this program has train, evaluate, predict, step"
refused prepare net.lam 1 "'prepare' is a part of step and comes with it"
refused step "$SPECS/mlp.lam" 1 "this program has no routine 'step', which a generate block in its spec would give it; it has train, evaluate, predict, synthesize"
refused synthesize net.lam 1 "this program has no routine 'synthesize', which a data block with 'examples' in its spec would give it"
refused "" net.lam 1 "a routine is expected here; this program has train, evaluate, predict, step"
refused predict, net.lam 9 "a routine is expected here; this program has"
expect_status 1 lamella emit net.lam --only=train --dump='h.*' -o refused
expect_contains "$(cat stderr)" "--dump keeps values of predict, which --only leaves out; add predict"
