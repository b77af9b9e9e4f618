#!/usr/bin/env bash
# long
# Few rows read pruned weights as bitmaps: generation and prediction give the bits that the same weights give when they are read whole, on
# every target, in reals and in bytes, for windows of one row and of many, whatever the weights become; what is decided is told.
. "$(dirname "$0")/../lib.sh"
cp "$GOLDEN/text.txt" .

# Rows of 64, 96 and 160 elements: whole masks, masks in part, and more than one step of masks; a head, and a layer of one row.
cat >net.lam <<'END'
use "std/transformer.lam"
use "std/optim.lam"
axis vocab  = 65
axis seq   <= 48
axis embed  = 96
axis kv     = 3
axis group  = 1
axis key    = embed / kv
axis half   = key / 2
axis hidden = 160
model net(tokens[seq] in vocab) -> logits[seq, vocab] {
  x = tokens: embedding(tokens, vocab, embed)
  repeat layers[2] {
    x = x + attention: grouped_attention(norm_1: rmsnorm(x, embed))
    x = x + mlp: swiglu(norm_2: rmsnorm(x, embed))
  }
  return head: dense(norm: rmsnorm(x, embed), embed, vocab, with_bias = 0)
}
data text { text = "text.txt"; tokenizer = char; split = 0.9 }
train net on text {
  loss      = cross_entropy(logits, next, vocab), weight
  optimizer = adamw(lr = 0.01)
  batch = 2; steps = 6
}
generate net { over = seq; feed = tokens; from = logits }
END
lamella run net.lam train --quiet --out net.safetensors >out.txt

targets=()
for target in portable avx2 avx512 avx512+vbmi2; do
  runs_here "$target" || { count_skip "$target"; continue; }
  targets+=("$target")
done
if emulates_neon; then targets+=(neon); else count_skip neon; fi

# A host that reads a window of many rows and then some of one, and prints the bits of the logits. Then it writes weights that have no
# zeros, and has derived values computed anew and nothing pruned: rows that find no room are read whole.
cat >host.c <<'END'
#include <stdio.h>
#include <string.h>
#include "net.h"

static int show(struct net *m, int rows, int past) {
  for (int i = 0; i < rows; i++) m->step.position[i] = past - rows + i, m->step.tokens[i] = (past + i) * 7 % 65;
  if (net_step(m, rows, past) != NET_OK) return printf("failed: %s\n", net_message(m));
  unsigned hash = 0;
  for (int i = 0; i < rows * 65; i++) {
    unsigned bits;
    memcpy(&bits, &m->step.logits[i], sizeof bits);
    hash = (hash ^ bits) * 16777619u;
  }
  return printf("%d rows: %08x\n", rows, hash);
}

int main(void) {
  struct net *m = net_create();
  if (!m || net_load(m, "net.safetensors") != NET_OK) return 1;
  show(m, 19, 19), show(m, 1, 20), show(m, 3, 23);
  for (int i = 0; i < 160 * 96; i++) UP_PROJ[1][i] = i % 7 - 3;
#ifdef DERIVES
  if (net_derive(m) != NET_OK) return 1;
#endif
  show(m, 19, 19), show(m, 1, 20);
  net_destroy(m);
  return 0;
}
END
# bits_of FOLDER TARGET: what the host prints with the model that was emitted there.
bits_of() {
  local options=(-O1 -I. "-DUP_PROJ=m->parameters.layers_mlp_up_proj_weight") program=(./host)
  ! grep -q net_derive "$1/net.h" || options+=(-DDERIVES)
  ! grep -q up_proj_weight_i8 "$1/net.h" || options+=("-DUP_PROJ=m->quantized.layers_mlp_up_proj_weight_i8" -w)
  if [[ $2 == neon ]]; then
    (cd "$1" && aarch64-linux-gnu-gcc -static "${options[@]}" ../host.c net.c lamella.c -lm -o ../host)
    program=(qemu-aarch64 ./host)
  else
    (cd "$1" && cc "${options[@]}" ../host.c net.c lamella.c -lm -o ../host)
  fi
  "${program[@]}"
}
rules=('prune(l1, 0.8, global)' 'prune(l1, 0.7), quantize(i8)' 'prune(nm, n = 1), quantize(i8, activations = i8)')
everything && rules+=('prune(l1, 0.6)' 'prune(nm, n = 1, m = 4), fuse(sums = 0)' 'prune(l1, 0.7), -share')
for passes in "${rules[@]}"; do
  for target in "${targets[@]}"; do
    for bitmap in 0 1; do
      lamella emit net.lam --only=step --target="$target" --passes="$passes, derive(bitmap = $bitmap)" -o vendor-$bitmap >out.txt
      bits_of vendor-$bitmap "$target" >bits-$bitmap.txt
    done
    grep -q 'lam_expand.*(' vendor-1/net.c || fail "no bitmap under $passes, $target"
    ! grep -q lam_expand vendor-0/net.c || fail "a bitmap that was left out under $passes, $target"
    expect_equal "$(cat bits-1.txt)" "$(cat bits-0.txt)" "logits by bitmaps, $passes, $target"
    expect_equal "$(sort -u bits-1.txt | grep -c rows)" 5 "windows of different logits, $passes, $target"
  done
done

# The programs of all verbs, and the interpreter, which knows of no bitmaps.
for verb in "generate --prompt First --tokens 24 --temperature 0" eval; do
  # shellcheck disable=SC2086 # words
  lamella interpret net.lam --passes='prune(l1, 0.6)' $verb --weights net.safetensors >interpreted.txt 2>/dev/null
  # shellcheck disable=SC2086 # words
  lamella run net.lam --passes='prune(l1, 0.6), derive(bitmap = 1)' $verb --weights net.safetensors >run.txt 2>/dev/null
  # shellcheck disable=SC2086 # words
  lamella run net.lam --passes='prune(l1, 0.6), derive(bitmap = 0)' $verb --weights net.safetensors >whole.txt 2>/dev/null
  expect_equal "$(cat run.txt)" "$(cat whole.txt)" "$verb by bitmaps"
  [[ $verb == eval ]] || expect_equal "$(cat run.txt)" "$(cat interpreted.txt)" "$verb"
done

# What is decided is told: by how many elements stay, by the target, by the weight's layout, by the pipeline and by the graph.
told() { lamella show net.lam -D embed=768 -D hidden=2048 --stage=clusters --graph="$1" --target="$2" --passes="$3" | grep -A1 '^      *pruned' | tr -s '\n ' ' '; }
expect_contains "$(told step avx512 'prune(l1, 0.5)')" "at most 50% of the weight's elements are not zero; it is read as a bitmap"
expect_contains "$(told step avx512 'prune(l1, 0.02)')" "at most 98% of the weight's elements are not zero; it is read whole, for a bitmap pays only with more zeros"
expect_contains "$(told step portable 'prune(l1, 0.5)')" "the target expands no bitmap of such elements faster"
expect_contains "$(told step avx512 'prune(l1, 0.5), quantize(i8)')" "the target expands no bitmap of such elements faster"
expect_contains "$(told step avx512+vbmi2 'prune(l1, 0.5), quantize(i8)')" "read as a bitmap"
expect_contains "$(told step avx512 'prune(l1, 0.5), quantize(i4)')" "bitmaps are of reals of 32 bits and of bytes"
expect_contains "$(told step avx512 'prune(l1, 0.5), derive(bitmap = 0)')" "derive(bitmap = 0) says so"
expect_contains "$(told step avx512 'prune(l1, 0.5), derive(packed = 0)')" "this graph keeps nothing that is made of parameters"
expect_contains "$(told predict avx512 'prune(l1, 0.5)')" "for many rows share what is read"
lamella show net.lam --stage=clusters --graph=step --target=avx512 --passes='prune(l1, 0.5)' >small.txt
expect_contains "$(tr -s '\n ' ' ' <small.txt)" "all pruned weights together have room in a cache"
expect_equal "$(told step avx512 default)" "" "of weights that are not pruned"
lamella show "$GOLDEN/gpt.lam" --stage=clusters --graph=step --target=avx512 --passes='prune(l1, 0.5)' >gpt.txt
expect_contains "$(tr -s '\n ' ' ' <gpt.txt)" "the sum runs across the rows of the memory that it lies in"
