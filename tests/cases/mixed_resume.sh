#!/usr/bin/env bash
# slow
# With micro-batches, clipping and averages, whatever the precision: a run that is resumed at any step ends with the bytes of one that is
# not. Under mixed(f16) a step that is skipped changes nothing but the scaler. A checkpoint of one pipeline serves every other.
. "$(dirname "$0")/../lib.sh"

options=(-D train.accumulate=2 -D train.clip=0.5 -D train.average='ema(0.9)' -D train.batch=4)
lamella build "$GOLDEN/mixed.lam" "${options[@]}" -o program
train() { ./program train --log log.jsonl "$@" >out.txt 2>err.txt || { cat out.txt err.txt; fail "train $*"; }; }
train --steps 24 --out whole.safetensors
skipped() { sed -n "s/{\"step\":$1,.*\"skipped_steps\":\([0-9]*\).*/\1/p" log.jsonl; }
# The planted rows are in the steps 20 and 21; the first scales are too large as well.
((first = $(skipped 19))) || fail "no step is skipped for its scale"
expect_equal "$(skipped 20) $(skipped 21) $(skipped 24)" "$((first + 1)) $((first + 2)) $((first + 2))" "steps skipped"
for steps in 1 2 8 19 20 21; do
  train --steps "$steps" --out halves.safetensors --overwrite
  train --steps 24 --out halves.safetensors --resume
  cmp whole.safetensors halves.safetensors || fail "resumed after step $steps"
done

# The other precisions, after every step, and with momentum, which Adam's states are not the only ones to keep.
pipelines=(default 'mixed(bf16)' 'mixed(bf16, masters = 0)')
for pipeline in "${pipelines[@]}"; do
  for optimizer in 'adamw(lr = 0.01)' 'sgd(lr = 0.01, momentum = 0.9)'; do
    lamella build "$GOLDEN/mixed.lam" "${options[@]}" -D "train.optimizer=$optimizer" --passes="$pipeline" -o other
    other() { ./other train "$@" >out.txt 2>err.txt || { cat out.txt err.txt; fail "$pipeline: train $*"; }; }
    other --steps 12 --out unbroken.safetensors --overwrite
    other --steps 1 --out broken.safetensors --overwrite
    for ((step = 1; step < 12; step++)); do
      cp broken.safetensors resumed.safetensors
      other --steps 12 --out resumed.safetensors --resume
      cmp unbroken.safetensors resumed.safetensors || fail "$pipeline, $optimizer, resumed after step $step"
      other --steps $((step + 1)) --out broken.safetensors --resume # the next one has been stopped that many times
    done
    cmp unbroken.safetensors broken.safetensors || fail "$pipeline, $optimizer, stopped after every step"
  done
done

# The interpreter skips the same steps.
lamella interpret "$GOLDEN/mixed.lam" "${options[@]}" train --steps 24 --log log.jsonl --out i.safetensors >out.txt
expect_equal "$(skipped 24)" "$((first + 2))" "steps skipped by the interpreter"

# Of a step that is skipped, all that is left is that it was.
for name in w1 w2 b1 b2; do
  axes='0 1'
  [[ $name == w* ]] || axes=0
  for part in "" /m /v /average; do echo "$name$part $name$part $axes"; done
done >pairs.txt
same() { "$LAMELLA_BUILD/tests/tools/compare_tensors" "$1" "$2" 0 pairs.txt >difference.txt; }
for steps in 18 19 20; do train --steps $steps --out at$steps.safetensors --overwrite; done
same at19.safetensors at20.safetensors || { cat difference.txt; fail "a skipped step changes what is trained"; }
! same at18.safetensors at19.safetensors || fail "a step changes nothing"

# Checkpoints of every pipeline in every other.
pipelines+=('mixed(f16)')
for ((i = 0; i < ${#pipelines[@]}; i++)); do
  lamella build "$GOLDEN/mixed.lam" "${options[@]}" --passes="${pipelines[i]}" -o "trainer$i"
  "./trainer$i" train --steps 3 --out "three$i.safetensors" >out.txt
done
for ((i = 0; i < ${#pipelines[@]}; i++)); do
  for ((j = 0; j < ${#pipelines[@]}; j++)); do
    cp "three$j.safetensors" other.safetensors
    "./trainer$i" train --steps 4 --resume --out other.safetensors >out.txt 2>&1 \
      || { cat out.txt; fail "${pipelines[i]} on a checkpoint of ${pipelines[j]}"; }
    expect_contains "$(tail -1 out.txt)" "step 4"
  done
done

# What a pipeline without a scale writes begins with the usual one.
lamella build "$GOLDEN/mixed.lam" "${options[@]}" --passes=default -o plain
./plain train --steps 10 --out plain.safetensors >out.txt
rm log.jsonl
train --steps 24 --resume --out plain.safetensors
expect_contains "$(head -1 log.jsonl)" '{"step":11,'
expect_contains "$(head -1 log.jsonl)" '"loss_scale":65536,'
train --steps 10 --out scaled.safetensors
./plain train --steps 24 --resume --out scaled.safetensors >out.txt 2>&1 || { cat out.txt; fail "a checkpoint with a scale"; }
expect_contains "$(tail -1 out.txt)" "step 24"

# Gradients that are never finite make the scale smaller until it is 0, and then training says so.
{ sed 's/^  x = .*/  x = clean * 1e38 * 10/' "$GOLDEN/mixed.lam"; } >endless.lam
cp "$GOLDEN/mixed.safetensors" .
expect_status 1 lamella run endless.lam train --out w.safetensors
expect_contains "$(cat stderr)" "the scale of the loss has fallen to 0 and no gradient was finite: training stops"
[[ ! -e w.safetensors ]] || fail "a training that made no step wrote weights"
