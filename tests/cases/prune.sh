#!/usr/bin/env bash
# slow
# Pruning keeps the weights that torch keeps, and training goes on as with torch's masks (golden/prune.py); zeros last through
# training, checkpoints and whatever reads them.
. "$(dirname "$0")/../lib.sh"
nonzero() { "$LAMELLA_BUILD/tests/tools/nonzero" "$@"; }
gpt=$GOLDEN/gpt.lam
ways=("interpret $gpt")
for target in portable avx2 avx512; do
  runs_here "$target" || { count_skip "$target"; continue; }
  everything || [[ $target != portable ]] || continue
  ways+=("run $gpt --target=$target")
done

# kept WAY FILE PREFIX PASSES: the fixture's lines of the pipeline, as the tensors of a file say them.
kept() {
  local pipeline name count sum
  while IFS=';' read -r pipeline name count sum; do
    [[ $pipeline == "$4" ]] || continue
    expect_equal "$(nonzero "$2" "$3$name")" "$3$name $count $sum" "which weights stay of $name, $4, $1"
  done <"$GOLDEN/prune.kept"
}

cut -d ';' -f 1 "$GOLDEN/prune.kept" | uniq >pipelines.txt
[[ $(wc -l <pipelines.txt) == 5 ]] || fail "the fixture has other pipelines"
for way in "${ways[@]}"; do
  # shellcheck disable=SC2086 # words
  while read -r passes; do
    lamella $way --passes="$passes" train --steps 1 --overwrite --out kept.safetensors >out.txt </dev/null
    kept "$way" kept.safetensors mask/ "$passes"
    kept "$way" kept.safetensors "" "$passes"
  done <pipelines.txt
  lamella $way --passes='prune(l1, 0.5)' train --overwrite --log log.jsonl --out w.safetensors >out.txt
  losses log.jsonl >got.txt
  near "$GOLDEN/prune.losses" got.txt 1e-5 || fail "losses with masks, $way"
  kept "$way" w.safetensors "" 'prune(l1, 0.5)'
  lamella $way --passes='prune(l1, 0.8, begin = 2, end = 8, every = 2)' train --overwrite --log log.jsonl --out w.safetensors >out.txt
  losses log.jsonl >got.txt
  near <(cut -d ' ' -f 1 "$GOLDEN/prune.gradual") got.txt 1e-5 || fail "losses of gradual pruning, $way"
done
lamella run "$gpt" train --overwrite --log log.jsonl --out w.safetensors >out.txt
losses log.jsonl >got.txt
! near "$GOLDEN/prune.losses" got.txt 1e-5 >out.txt || fail "losses without pruning pass for those with masks"

# After each step as many weights are zero as the schedule says.
matrices=(wte.weight)
for i in 0 1; do matrices+=(h.$i.attn.c_attn.weight h.$i.attn.c_proj.weight h.$i.mlp.c_fc.weight h.$i.mlp.c_proj.weight); done
sizes=(2080 3072 1024 4096 4096 3072 1024 4096 4096)
lamella build "$gpt" --passes='prune(l1, 0.8, begin = 2, end = 8, every = 2)' -o gradual
for step in 2 4 5 6 8 10; do
  ./gradual train --steps $step --overwrite --quiet --out part.safetensors >out.txt
  zeros=
  i=0
  while read -r _ count _; do zeros="$zeros ${sizes[i]} $count" && i=$((i + 1)); done < <(nonzero part.safetensors "${matrices[@]}")
  # The rate follows from the number of steps, so the weights differ a little from the fixture's; how many stay does not.
  # shellcheck disable=SC2086 # words
  expect_equal "$(set -- $zeros; while [[ $# -gt 0 ]]; do printf ' %d' $(($1 - $2)); shift 2; done)" \
    "$(sed -n "${step}s/^[^ ]*//p" "$GOLDEN/prune.gradual")" "zeros after step $step"
done

# Every pipeline and any number of threads choose the same weights, and a run that is stopped and resumed ends with the same bytes.
rules='prune(l1, 0.5, "h.*"), prune(nm, begin = 3, "wte.*")'
pipelines=("$rules" "$rules, -fuse" "none, $rules")
everything && pipelines+=("$rules, -simplify, -common" "$rules, -plan, -derive")
for passes in "${pipelines[@]}"; do
  lamella build "$gpt" --passes="$passes" -o gpt
  ./gpt train --steps 6 --overwrite --quiet --out whole.safetensors >out.txt
  nonzero whole.safetensors "${matrices[@]/#/mask/}" >chosen.txt
  [[ -e first.txt ]] || cp chosen.txt first.txt
  expect_equal "$(cat chosen.txt)" "$(cat first.txt)" "masks under $passes"
  OMP_NUM_THREADS=1 ./gpt train --steps 6 --overwrite --quiet --out one.safetensors >out.txt
  cmp whole.safetensors one.safetensors || fail "one thread gives other weights under $passes"
done
for pipeline in 'prune(l1, 0.8, begin = 2, end = 8, every = 2)' 'prune(l1, 0.5), mixed(f16)' 'prune(nm), mixed(bf16, masters = 0)'; do
  lamella build "$gpt" -D train.checkpoint='every(3)' -D train.average=0.9 -D train.accumulate=2 -D train.batch=2 --passes="$pipeline" -o gpt
  ./gpt train --steps 10 --overwrite --quiet --out whole.safetensors >out.txt
  for _ in 1 2; do
    rm -f halves.safetensors
    ./gpt train --steps 10 --overwrite --quiet --out halves.safetensors >out.txt &
    child=$!
    for _ in $(seq 3000); do [[ -s halves.safetensors ]] && break; sleep 0.01; done
    kill -KILL $child 2>/dev/null || true
    wait $child 2>/dev/null || true
    ./gpt train --resume --quiet --out halves.safetensors >out.txt
    cmp whole.safetensors halves.safetensors || fail "resumed weights differ under $pipeline"
  done
done

# Dense weights are pruned when they are loaded: with them all verbs do what they do with weights of a training with masks. A rate of 0
# leaves what was loaded as it was but for the zeros.
lamella run "$gpt" train --steps 4 --overwrite --quiet --out dense.safetensors >out.txt
lamella run "$gpt" --passes='prune(l1, 0.7)' -D optimizer.lr=0 train --init dense.safetensors --steps 1 --overwrite --quiet --out masked.safetensors >out.txt
for way in "interpret $gpt" "run $gpt" "run $gpt --passes=prune(l1,0.7)"; do
  for verb in "eval" "generate --prompt First --tokens 12 --temperature 0"; do
    # shellcheck disable=SC2086 # words
    lamella $way $verb --weights masked.safetensors >masked.txt
    # shellcheck disable=SC2086 # words
    lamella ${way% --passes=*} --passes='prune(l1, 0.7)' $verb --weights dense.safetensors >pruned.txt
    expect_equal "$(cat pruned.txt)" "$(cat masked.txt)" "$verb with weights that are pruned when loaded, $way"
  done
done
lamella run "$gpt" eval --weights dense.safetensors >dense.txt
lamella run "$gpt" --passes='prune(l1, 0.7)' eval --weights dense.safetensors >pruned.txt
! cmp -s dense.txt pruned.txt || fail "evaluation of dense weights does not prune them"

# Checkpoints of a pipeline with masks serve one without, and the other way round: what was never pruned is when training goes on.
cp masked.safetensors resumed.safetensors
lamella run "$gpt" train --steps 6 --resume --quiet --out resumed.safetensors >out.txt
nonzero resumed.safetensors mask/wte.weight >out.txt && fail "masks are kept by a pipeline without them"
cp dense.safetensors resumed.safetensors
for steps in 4 6; do # in the first of these there is nothing to do, and so nothing is pruned
  lamella run "$gpt" --passes='prune(l1, 0.7)' train --steps $steps --resume --quiet --out resumed.safetensors >out.txt
done
expect_equal "$(nonzero resumed.safetensors wte.weight mask/wte.weight | cut -d ' ' -f 2 | sort -u)" 624 "weights that stay of those resumed"

# Weights that are a part of the program are pruned when it is made, which then has no routine for it.
lamella emit "$gpt" --passes='prune(l1, 0.7)' --only=predict --weights=pruned.safetensors -o constant 2>missing.txt && fail "weights that are not there"
[[ ! -e constant ]] || fail "a failed emit wrote something"
for weights in dense masked; do
  [[ $weights == dense ]] && passes='prune(l1, 0.7)' || passes=default
  lamella emit "$gpt" --passes="$passes" --only=predict --weights=$weights.safetensors -o $weights >out.txt
done
cmp dense/gpt_weights.c masked/gpt_weights.c || fail "weights that are a part of the program are pruned otherwise"
! grep -q prune dense/gpt.c || fail "a program with constant weights prunes"

# What is emitted prunes by itself, in the steps that the rule says and before it predicts.
lamella emit "$gpt" --passes='prune(l1, 0.5)' -o vendor >out.txt
cat >vendor/host.c <<'END'
#include <stdio.h>
#include "gpt.h"

static int zeros(const struct gpt *m) {
  int count = 0;
  for (int i = 0; i < 65 * 32; i++) count += m->parameters.wte_weight[i] == 0;
  return count;
}

int main(void) {
  struct gpt *m = gpt_create();
  if (!m || gpt_initialize(m, 1) != GPT_OK) return 1;
  const int before = zeros(m);
  if (gpt_predict(m) != GPT_OK) return 1;
  const int predicted = zeros(m);
  for (int i = 0; i < 65 * 32; i++) m->parameters.wte_weight[i] = (float)(i + 1);
  gpt_changed(m);
  if (gpt_train(m, 1) != GPT_OK) return 1;
  printf("%d %d %d\n", before, predicted, zeros(m));
  gpt_destroy(m);
  return 0;
}
END
(cd vendor && cc -O1 host.c gpt.c lamella.c -lm -o host)
expect_equal "$(vendor/host)" "0 1040 1040" "zeros of a host's model: at first, after a prediction, after a step from other weights"

# Steps are made of what is pruned, also of parameters that are not pruned themselves, in a program that could train, and in a file of steps.
cp "$GOLDEN/gpt.safetensors" whole.safetensors
rules='prune(l1, 0.8), quantize(i8)'
lamella build "$gpt" --passes="$rules" -O1 -o pruned_steps
./pruned_steps eval --all --data "$GOLDEN/text.txt" --weights whole.safetensors >pruned.txt
lamella interpret "$gpt" --passes="$rules" eval --all --data "$GOLDEN/text.txt" --weights whole.safetensors >wanted.txt
expect_equal "$(cat pruned.txt)" "$(cat wanted.txt)" "the loss of a program that prunes and quantizes"
./pruned_steps quantize --weights whole.safetensors --out steps.safetensors >out.txt
for passes in "$rules" 'quantize(i8)'; do
  lamella run "$gpt" --passes="$passes" -O1 eval --all --data "$GOLDEN/text.txt" --weights steps.safetensors >got.txt
  expect_equal "$(cat got.txt)" "$(cat wanted.txt)" "the loss by a file of steps, $passes"
done
