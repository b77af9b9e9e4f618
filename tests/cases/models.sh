#!/usr/bin/env bash
# long
# The specs of the large models, made small with -D, train alike by the interpreter and by C; at full size each is emitted, compiled
# and takes a step.
. "$(dirname "$0")/../lib.sh"

small=(-D embed=32 -D train.batch=2 -D train.steps=3 -D train.log=1 -D train.eval=0 -D train.checkpoint=0 -D data.split=1)
gpt2=(-D repeat.h=2 -D head=4 -D vocab=256 -D seq=16)
bert=(-D repeat.layer=2 -D head=4 -D seq=16)
llama=(-D repeat.layers=2 -D kv=2 -D group=2 -D hidden=48 -D vocab=256 -D seq=16)
translate=(-D repeat.layers=2 -D head=4)
alike() {
  local name=$1 spec=$2
  shift 2
  lamella interpret "$spec" "$@" train --overwrite --log interpreted.jsonl --out w.safetensors >out.txt || { cat out.txt; fail "$name, interpreted"; }
  lamella build "$spec" "$@" -o program
  ./program train --overwrite --log compiled.jsonl --out w.safetensors >out.txt || { cat out.txt; fail "$name, compiled"; }
  losses interpreted.jsonl >interpreted.txt
  losses compiled.jsonl >compiled.txt
  [[ $(wc -l <interpreted.txt) == 3 ]] || fail "$name: $(wc -l <interpreted.txt) steps"
  near interpreted.txt compiled.txt 1e-5 || fail "$name: interpreter and C differ"
}
alike gpt2 "$SPECS/gpt2.lam" "${small[@]}" "${gpt2[@]}"
alike bert "$SPECS/bert.lam" "${small[@]}" "${bert[@]}"
alike "bert's classifier" "$SPECS/bert.lam" --model=classify -D embed=32 -D train.batch=2 -D train.steps=3 -D train.log=1 -D data.split=1 "${bert[@]}"
alike llama "$SPECS/llama.lam" "${small[@]}" "${llama[@]}"
alike translate "$SPECS/translate.lam" "${small[@]}" "${translate[@]}"
alike moe "$SPECS/moe.lam" -D train.batch=2 -D train.steps=3 -D train.log=1 -D data.split=1 -D embed=16 -D seq=8
alike lora "$SPECS/lora.lam" -D train.batch=2 -D train.steps=3 -D train.log=1 -D data.split=1 -D embed=32 -D seq=8
alike mlp "$SPECS/mlp.lam" -D train.steps=3 -D train.log=1

# At full size each is emitted, compiled and takes a step.
stepped() {
  local name=$1 spec=$2
  shift 2
  lamella build "$spec" "$@" -D train.batch=1 -D data.split=1 -o program
  ./program train --overwrite --steps 1 --out w.safetensors --log log.jsonl >out.txt || { cat out.txt; fail "$name at full size"; }
  losses log.jsonl | awk -v most="$most" '!($1 > 0 && $1 < most) { print "loss " $1; exit 1 } END { if (!NR) exit 1 }' || fail "$name: the loss"
  rm -f w.safetensors
}
most=12
case $LAMELLA_BUILD in *asan*) exit 0 ;; esac
stepped gpt2 "$SPECS/gpt2.lam" -D seq=64
everything || exit 0
stepped bert "$SPECS/bert.lam"
stepped llama "$SPECS/llama.lam" -D seq=64
stepped translate "$SPECS/translate.lam"
