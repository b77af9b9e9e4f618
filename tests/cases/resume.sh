#!/usr/bin/env bash
# Whatever the precision, with accumulation, clipping and averages: a run that is stopped and resumed ends with the very bytes of one
# that was not, and a killed one leaves the last checkpoint whole.
. "$(dirname "$0")/../lib.sh"

pipelines=(default 'mixed(bf16, masters = 0)')
everything && pipelines+=('mixed(bf16)' 'mixed(f16)') # which cases/mixed_resume stops after every step
for pipeline in "${pipelines[@]}"; do
  lamella build "$SPECS/shakespeare.lam" -D embed=32 -D repeat.h=2 -D train.steps=40 -D train.checkpoint=10 -D train.accumulate=2 \
    -D train.average='ema(0.9)' --passes="$pipeline" -o gpt
  rm -f halves.safetensors killed.safetensors
  ./gpt train --out whole.safetensors --steps 40 --overwrite >whole.txt
  ./gpt train --out halves.safetensors --steps 40 --log log.jsonl >halves.txt &
  child=$!
  for _ in $(seq 3000); do [[ -e halves.safetensors ]] && break; sleep 0.02; done
  kill -INT $child 2>/dev/null || true
  status=0; wait $child || status=$?
  [[ $status == 130 || $status == 0 ]] || fail "an interrupted run ends with $status"
  ./gpt train --out halves.safetensors --resume >resumed.txt
  cmp whole.safetensors halves.safetensors || fail "resumed weights differ, $pipeline"

  # After a kill in the middle the file of weights loads.
  ./gpt train --out killed.safetensors --steps 40 >killed.txt &
  child=$!
  for _ in $(seq 3000); do [[ -e killed.safetensors ]] && break; sleep 0.02; done
  kill -KILL $child 2>/dev/null || true
  wait $child 2>/dev/null || true
  ./gpt train --out killed.safetensors --resume >again.txt
  cmp whole.safetensors killed.safetensors || fail "weights after a kill differ, $pipeline"

  # The number of threads changes no byte.
  OMP_NUM_THREADS=1 ./gpt train --out one.safetensors --steps 40 --overwrite >one.txt
  cmp whole.safetensors one.safetensors || fail "one thread gives other weights, $pipeline"
done
