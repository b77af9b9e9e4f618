#!/usr/bin/env bash
# slow
# What generation takes of memory at most, with 25 million parameters in 4 bits: at most 0.2 of what it takes with float32, from a file of
# steps as from a file of float32, which is read tensor by tensor; in a program that can train, too. A forward-only model makes room for
# the steps alone.
. "$(dirname "$0")/../lib.sh"
case $LAMELLA_BUILD in *asan*) skip "the sanitizers take memory of their own" ;; esac

cat >big.lam <<'END'
use "std/transformer.lam"
use "std/optim.lam"
axis vocab = 256
axis pos = 16
axis seq <= pos
axis embed = 256
axis head = 4
axis key = embed / head
axis hidden = 1024
model big(tokens[seq] in vocab) -> logits[seq, vocab] {
  param wte.weight[vocab, embed] ~ normal(0.02)
  param wpe.weight[pos, embed] ~ normal(0.02)
  x = wte.weight[vocab = tokens] + wpe.weight[pos = position(seq)]
  repeat h[32] {
    x = x + attn: causal_attention(ln_1: layernorm(x, embed))
    x = x + mlp:  mlp(ln_2: layernorm(x, embed), gelu_tanh)
  }
  x = ln_f: layernorm(x, embed)
  return x @embed wte.weight
}
data letters { text = "text.txt"; tokenizer = byte; split = 0.9 }
train big on letters { loss = cross_entropy(logits, next, vocab), weight; optimizer = sgd(lr = 0.1); batch = 1; steps = 1 }
generate big { over = seq; feed = tokens; from = logits }
END
printf 'To be, or not to be. %.0s' {1..20} >text.txt

# peak PROGRAM WEIGHTS: KiB.
peak() {
  "$LAMELLA_BUILD/tests/tools/peak_memory" peak.txt "$1" generate --weights "$2" --prompt 'To' --tokens 5 --temperature 0 --quiet >"$2.text"
  cat peak.txt
}
lamella build big.lam --openmp=none -O1 -o real
lamella build big.lam --openmp=none -O1 --passes='quantize(i4)' -o four
lamella build big.lam --openmp=none -O1 --only=step --passes='quantize(i4)' -o alone
./real train --steps 0 --quiet --out big.st >out.txt
./four quantize --weights big.st --out four.st >out.txt
real=$(peak ./real big.st)
for program in ./four ./alone; do
  for weights in big.st four.st; do
    got=$(peak $program $weights)
    echo "$program from $weights: $got KiB, float32: $real KiB"
    [[ $got -le $((real / 5)) ]] || fail "more than 0.2"
  done
  cmp big.st.text four.st.text || fail "what they write"
done
[[ $real -lt 115000 ]] || fail "float32 takes more than its parameters: $real KiB"

for passes in default 'quantize(i4)'; do
  lamella emit big.lam --only=step --passes="$passes" -o model
  printf '#include "big.h"\n#include <stdio.h>\nint main(void) { return printf("%%zu\\n", big_size()) < 0; }\n' >size.c
  gcc -O0 -w -DBIG_ALONE -Imodel model/big.c size.c -o size -lm
  ./size >>sizes.txt
done
{ read -r whole; read -r small; } <sizes.txt
echo "big_size: $small bytes, float32: $whole"
[[ $((small * 5)) -lt $whole ]] || fail "the memory of a forward-only model"
