#!/usr/bin/env bash
# slow
# Each of these changes to a recipe must make its fixture fail; otherwise the fixture would not notice such a mistake.
. "$(dirname "$0")/../lib.sh"
cp "$GOLDEN"/*.lam "$GOLDEN"/*.safetensors "$GOLDEN"/text.txt "$GOLDEN"/names.csv .
cp -r "$SPECS/std" std

# mutate WHAT MODEL FILE FROM TO: FROM (a sed pattern) becomes TO in FILE
mutate() {
  echo "$1"
  local what=$1 model=$2 file=$3
  cp "$file" kept
  sed -i "s/$4/$5/" "$file"
  cmp -s kept "$file" && fail "$what: nothing to change in $file"
  lamella interpret "$model.lam" train --overwrite --log log.jsonl --out w.safetensors >out.txt 2>&1 || { cat out.txt; fail "$what: does not run"; }
  losses log.jsonl >got.txt
  near "$GOLDEN/$model.losses" got.txt 1e-5 >/dev/null && fail "the fixture $model does not notice: $what"
  cp kept "$file"
}

mutate decay gpt gpt.lam 'decay = 0.1' 'decay = 0.09'
mutate groups gpt gpt.lam '"\*.bias", "\*ln_\*"' '"*.bias"'
mutate beta2 gpt gpt.lam 'beta2 = 0.99' 'beta2 = 0.999'
mutate epsilon gpt gpt.lam 'eps = 1e-4' 'eps = 1e-8'
mutate gelu gpt gpt.lam 'gelu_tanh' 'gelu'
mutate "layernorm's epsilon" gpt gpt.lam 'ln_1: layernorm(x, embed, eps = 1e-5)' 'ln_1: layernorm(x, embed, eps = 1e-6)'
mutate clip gpt gpt.lam 'clip = 0.5' 'clip = 0.45'
mutate scale gpt std/attention.lam 'sqrt(size(key))' 'size(key)'
mutate mask gpt std/attention.lam 'position(past) <= position(seq)' 'position(past) < position(seq) + 2'
mutate "the schedule's warm-up" gpt gpt.lam 'warmup = 3' 'warmup = 4'
mutate "gelu of BERT" bert bert.lam 'dense(gelu(' 'dense(gelu_tanh('
mutate "decay of Adam" bert bert.lam 'decay = 0.01' 'decay = 0.02'
mutate "masking" bert bert.lam 'corrupt = 0.3' 'corrupt = 0.31'
mutate "rotary pairing" llama std/attention.lam 'q = rotary(' 'q = rotary_pairs('
mutate "rotary base" llama std/position.lam 'theta = 10000' 'theta = 9000'
mutate "rmsnorm's epsilon" llama std/layers.lam 'fn rmsnorm(x, axis d, eps = 1e-5)' 'fn rmsnorm(x, axis d, eps = 1e-6)'
mutate "momentum" translate translate.lam 'momentum = 0.9' 'momentum = 0.8'
mutate "nesterov" translate translate.lam 'nesterov = 1' 'nesterov = 0'
mutate "the padding mask" translate std/attention.lam 'attend(q, k, v, real, key, source)' 'attend(q, k, v, real or not real, key, source)'
