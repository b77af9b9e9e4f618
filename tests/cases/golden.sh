#!/usr/bin/env bash
# slow
# The first ten losses of four small models equal PyTorch's: by the interpreter, and by C for each target.
. "$(dirname "$0")/../lib.sh"

for model in gpt bert llama translate; do
  lamella interpret "$GOLDEN/$model.lam" train --overwrite --log interpreted.jsonl --out w.safetensors >out.txt
  losses interpreted.jsonl >interpreted.txt
  near "$GOLDEN/$model.losses" interpreted.txt 1e-5 || fail "$model, interpreted"
  for target in portable avx2 avx512; do
    runs_here "$target" || { count_skip "$model for $target"; continue; }
    lamella build "$GOLDEN/$model.lam" --target="$target" -o program
    ./program train --overwrite --log compiled.jsonl --out w.safetensors >out.txt
    losses compiled.jsonl >compiled.txt
    near "$GOLDEN/$model.losses" compiled.txt 1e-5 || fail "$model, $target"
  done
done
