#!/usr/bin/env bash
# long
# Emitted programs train, evaluate, generate and predict under AddressSanitizer and UndefinedBehaviorSanitizer, and free
# all memory.
. "$(dirname "$0")/../lib.sh"
export ASAN_OPTIONS=detect_leaks=1

cp "$GOLDEN"/{gpt,translate}.safetensors "$GOLDEN/text.txt" "$GOLDEN/names.csv" . # the programs look for these beside themselves
for model in gpt translate; do
  for target in portable avx2 avx512; do
    runs_here $target || { count_skip $target; continue; }
    [[ $model == translate && $target != portable ]] && ! everything && continue
    rm -rf emitted
    lamella emit "$GOLDEN/$model.lam" --target=$target -o emitted
    gcc -std=c11 -O1 -g -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=all emitted/*.c -o program -lm
    ./program train --overwrite --steps 3 --log log.jsonl --out w.safetensors >out.txt
    losses log.jsonl >got.txt
    near <(head -3 "$GOLDEN/$model.losses") got.txt 1e-5 || fail "$model, $target"
    ./program eval --weights w.safetensors >out.txt
    ./program predict --weights w.safetensors --out outputs.safetensors >out.txt
    prompt="the"
    extra=()
    [[ $model == translate ]] && extra=(--source emma) prompt=""
    ./program generate --weights w.safetensors --prompt "$prompt" --tokens 40 --top-k 5 --top-p 0.9 --seed 3 "${extra[@]}" >generated.txt
  done
done

# Whole numbers wrap around without undefined behaviour.
given=($(sed -n 's/^#! predict //p' "$LAMELLA_ROOT/tests/values/whole_numbers.lam"))
for target in portable avx2 avx512 reference; do
  runs_here $target || { count_skip $target; continue; }
  for passes in default none; do
    [[ $passes == none && $target != portable ]] && ! everything && continue
    rm -rf emitted
    lamella emit "$LAMELLA_ROOT/tests/values/whole_numbers.lam" --target=$target --passes=$passes -o emitted
    gcc -std=c11 -O1 -g -Wall -Wextra -Werror -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all \
      emitted/*.c -o program -lm
    ./program predict "${given[@]}" >out.txt || fail "whole numbers, $target, $passes"
  done
done
