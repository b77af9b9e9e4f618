#!/usr/bin/env bash
# slow
# --weights makes parameters a part of the program, which then predicts and writes the same as with these weights in a
# file, and needs none. Weights that do not fit and programs that would change them are refused, and nothing is written.
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
train net on text {
  loss = cross_entropy(logits, next, vocab), weight; optimizer = adamw(lr = 0.05); batch = 2; steps = 30; average = 0.9
}
generate net { over = seq; feed = tokens; from = logits }
END
printf 'abcdefghij gfedcba. %.0s' {1..20} >text.txt
lamella build letters.lam --target=portable -o letters
./letters train --quiet --out w.st >/dev/null
generate=(generate --prompt 'abc' --tokens 20 --seed 3 --quiet)
./letters "${generate[@]}" --weights w.st >expected.txt
./letters predict --weights w.st >expected.predict.txt

for target in portable avx2 reference; do
  [[ $target == avx2 ]] && ! runs_here avx2 && { count_skip "no AVX2"; continue; }
  lamella emit letters.lam --target=$target --only=predict,step --weights=w.st -o $target
  gcc -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wcast-qual -Werror -O1 $target/*.c -o baked -lm || fail "$target"
  mkdir -p empty
  cp text.txt empty
  (cd empty && ../baked "${generate[@]}" >../got.txt && ../baked predict >../got.predict.txt) || fail "$target without the file"
  expect_equal "$(cat got.txt)" "$(cat expected.txt)" "what $target writes"
  [[ $target != portable ]] || cmp got.predict.txt expected.predict.txt
done
if grep -q 'letters_load\|letters_learn\|letters_initialize' portable/letters.h; then fail "weights that are a part of it can be loaded"; fi
lamella build letters.lam --target=portable --only=step --weights=w.st -o built
mv w.st elsewhere.st
expect_equal "$(./built "${generate[@]}")" "$(cat expected.txt)" "what a built program writes"
expect_status 1 ./built generate --weights elsewhere.st
expect_contains "$(cat stderr)" "the weights are a part of this program"

# Of weights of few bits the program has the steps and scales: those that one with the weights in a file would make of them, or those of
# a file that has them already.
for passes in 'quantize(i8)' 'quantize(i4, activations = i8)' 'quantize(bf16)'; do
  lamella build letters.lam --target=portable -O1 "--passes=$passes" -o few
  ./few "${generate[@]}" --weights elsewhere.st >few.txt
  ./few predict --weights elsewhere.st >few.predict.txt
  ./few quantize --weights elsewhere.st --out few.st >out.txt
  for file in elsewhere few; do
    lamella emit letters.lam --target=portable --only=predict,step "--passes=$passes" --weights=$file.st -o few_$file
    gcc -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wcast-qual -Werror -O1 few_$file/*.c -o baked -lm || fail "$passes, $file"
    (cd empty && ../baked "${generate[@]}" >../got.txt && ../baked predict >../got.predict.txt) || fail "$passes without the file"
    cmp got.txt few.txt
    cmp got.predict.txt few.predict.txt
  done
  cmp few_elsewhere/letters_weights.c few_few/letters_weights.c
  grep -q wte_weight_i8 few_few/letters.h || grep -q bf16 few_few/letters.h || fail "no steps: $passes"
  rm -r few_elsewhere few_few
done

# refused PART ARGUMENT...: emit fails with PART in its message.
refused() {
  local part=$1
  shift
  expect_status 1 lamella emit letters.lam "$@" -o refused
  expect_contains "$(cat stderr)" "$part"
  [[ ! -e refused ]] || fail "something was written: $*"
}
refused "this one trains: --only=predict or --only=step leaves training out" --weights=elsewhere.st
refused "cannot open nowhere.st" --only=predict --weights=nowhere.st
refused "wte.weight" -D embed=16 --only=predict --weights=elsewhere.st
refused "lacks h.2." -D repeat.h=3 --only=predict --weights=elsewhere.st
head -c 1000 elsewhere.st >cut.st
refused "cut.st" --only=predict --weights=cut.st

# Weights are printed a block at a time: the memory that it takes is the file's, 16 MB, and little more.
cat >big.lam <<'END_OF_SPEC'
use "std/optim.lam"
axis rows = 4000
axis columns = 1000
model big(x[rows]) -> y[columns] {
  param w[rows, columns] ~ normal(0.1)
  return x @rows w
}
data noise { examples = 2; x = normal(1, rows) }
train big on noise { loss = sum(output.y, columns); optimizer = sgd(lr = 0.1); batch = 1; steps = 1 }
END_OF_SPEC
lamella interpret big.lam train --steps 0 --quiet --out big.st >/dev/null
case $LAMELLA_BUILD in
  *asan*) ;; # which maps much more than it uses
  *) (ulimit -v 50000 && lamella emit big.lam --target=portable --only=predict --weights=big.st -o big) || fail "memory for weights" ;;
esac
