#!/usr/bin/env bash
# long
# A model's numbers are the same bits on every target with fused multiply-adds, by any number of threads: in float32, and with weights and
# activations of 8 bits. It predicts, and is trained, evaluated and asked to write.
. "$(dirname "$0")/../lib.sh"
export QEMU_LD_PREFIX=/usr/aarch64-linux-gnu
cp "$GOLDEN"/{gpt.lam,gpt.safetensors,text.txt} .
targets=(portable+fma)
for target in avx2 avx512 avx512+amx; do
  if runs_here $target; then targets+=($target); else count_skip $target; fi
done
if emulates_neon; then targets+=(neon); else count_skip "no AArch64 compiler, or no qemu-aarch64"; fi
[[ ${#targets[@]} -gt 1 ]] || skip "one target alone"

# build TARGET OPTION...: the program `program`, and `run`, the words that run it.
build() {
  local target=$1 compiler=()
  shift
  run=(./program)
  [[ $target == neon ]] && compiler=(--cc=aarch64-linux-gnu-gcc --static) run=(qemu-aarch64 ./program)
  lamella build gpt.lam --target="$target" "${compiler[@]}" -O1 -o program "$@"
}

# same FILE KEPT WHAT: the file has the bytes of the first of its kind, which is kept.
same() {
  [[ -e $2 ]] || cp "$1" "$2"
  cmp -s "$1" "$2" || fail "$3 differs from that of ${targets[0]}"
}

for target in "${targets[@]}"; do
  build "$target" --passes='parallel(work = 500)'
  for threads in 1 2 3; do
    "${run[@]}" train --overwrite --quiet --threads $threads --out trained.safetensors >out.txt
    same trained.safetensors trained.kept "what $target trains by $threads threads"
  done
  build "$target" --passes='quantize(i8, activations = i8), parallel(work = 500)'
  for threads in 1 2 3; do
    "${run[@]}" predict --weights gpt.safetensors --threads $threads --out logits.safetensors >out.txt
    same logits.safetensors logits.kept "what $target predicts by $threads threads"
    "${run[@]}" eval --weights trained.kept --threads $threads >loss.txt
    same loss.txt loss.kept "the loss of $target by $threads threads"
    "${run[@]}" generate --weights trained.kept --prompt "the " --tokens 20 --threads $threads >text_written.txt
    same text_written.txt text_written.kept "what $target writes by $threads threads"
  done
done

# The check notices bits: the portable target without fused multiply-adds gives others.
build portable --passes='quantize(i8, activations = i8)'
"${run[@]}" predict --weights gpt.safetensors --out logits.safetensors >out.txt
! cmp -s logits.safetensors logits.kept || fail "portable rounds twice and gives the same logits"
