#!/usr/bin/env bash
# slow
# `lamella run` has every verb of a built program, gives the bits of programs of gcc and of clang, ends by Ctrl-C, and
# has its own cache entries.
. "$(dirname "$0")/../lib.sh"
unset LAMELLA_CACHE
export XDG_CACHE_HOME=$WORK/cache

lamella run "$SPECS/linear.lam" info >/dev/null 2>messages || { grep -q "built without LLVM" messages && skip "no LLVM"; cat messages; fail "run"; }
small=(-D embed=32 -D train.batch=2 -D train.steps=3 -D train.log=1 -D train.eval=2 -D seq=16)
gpt2=(-D repeat.h=2 -D head=4 -D vocab=256)
bert=(-D repeat.layer=2 -D head=4)
llama=(-D repeat.layers=2 -D kv=2 -D group=2 -D hidden=48 -D vocab=256)
translate=(-D repeat.layers=2 -D head=4)

# same SPEC OPTIONS...: checkpoints are equal to the byte, and lines of output too, to those of the $compilers and of
# the other $level.
same() {
  local spec=$SPECS/$1.lam verb
  shift
  lamella run "$spec" "$@" train --overwrite --threads 2 --out run.safetensors >run.txt
  lamella run "$spec" "$@" -O$level train --overwrite --threads 1 --out other.safetensors >/dev/null
  for compiler in $compilers; do
    if [[ $compiler == here ]]; then
      lamella build "$spec" "$@" -o program
    else
      command -v $compiler >/dev/null || { count_skip "no $compiler"; continue; }
      lamella build "$spec" "$@" --cc=$compiler -o program
    fi
    ./program train --overwrite --threads 2 --out built.safetensors >built.txt
    cmp built.safetensors run.safetensors || fail "$spec: the weights of $compiler and of run differ"
  done
  cmp other.safetensors run.safetensors || fail "$spec: the weights of -O$level and -O2 differ"
  expect_equal "$(sed 's/[0-9.]* [a-z]*\/s$//' run.txt)" "$(sed 's/[0-9.]* [a-z]*\/s$//' built.txt)" "what $spec prints"
  for verb in $verbs; do
    expect_equal "$(lamella run "$spec" "$@" $verb --weights run.safetensors)" "$(./program $verb --weights run.safetensors)" "$verb of $spec"
  done
}
compilers="gcc clang-19 here" verbs="eval predict" level=0
same gpt2 "${small[@]}" "${gpt2[@]}"
expect_equal "$(lamella run "$SPECS/gpt2.lam" "${small[@]}" "${gpt2[@]}" generate --weights run.safetensors --prompt "to be" --tokens 8 --seed 3 2>/dev/null)" \
  "$(./program generate --weights run.safetensors --prompt "to be" --tokens 8 --seed 3 2>/dev/null)" "generate"
compilers=gcc verbs=eval level=1
if everything; then
  same bert "${small[@]}" "${bert[@]}"
  same llama "${small[@]}" "${llama[@]}"
fi
verbs=predict
same translate "${small[@]:0:10}" "${translate[@]}"
level=3
same mlp -D train.epochs=1
same linear

# The program reports mistakes in its own arguments and has its own help; the compiler does so for its own.
expect_status 2 lamella run "$SPECS/linear.lam"
expect_contains "$(cat stderr)" "usage: lamella run $SPECS/linear.lam VERB"
expect_status 2 lamella run "$SPECS/linear.lam" generate
expect_contains "$(cat stderr)" "there is no verb generate"
expect_contains "$(cat stderr)" "train"
expect_status 2 lamella run "$SPECS/linear.lam" train --stps 3
expect_status 0 lamella run "$SPECS/linear.lam" train --help
expect_status 1 lamella run missing.lam train
expect_status 2 lamella run "$SPECS/linear.lam" -O7 train
runs_here avx512 || {
  expect_status 1 lamella run "$SPECS/linear.lam" --target=avx512 info
  expect_contains "$(cat stderr)" "cannot run code for avx512"
}
expect_status 1 lamella run "$SPECS/linear.lam" eval --weights missing.safetensors

# Ctrl-C stops training after a step, with a checkpoint.
(
  set -m # otherwise a background command ignores the signal
  lamella run "$SPECS/shakespeare.lam" -D train.eval=0 -D train.log=1 train --overwrite --out stopped.safetensors >out.txt 2>&1 &
  program=$!
  for ((i = 0; i < 600; i++)); do grep -q '^step' out.txt && break; sleep 0.1; done
  kill -INT -- -$program
  status=0
  wait $program || status=$?
  [[ $status == 130 ]] || { cat out.txt; fail "exit status $status after Ctrl-C"; }
)
lamella run "$SPECS/shakespeare.lam" -D train.eval=0 eval --weights stopped.safetensors | grep -q "validation  loss" || fail "no checkpoint after Ctrl-C"

# gdb knows the functions of the program, and with -g its lines too.
if command -v gdb >/dev/null; then
  gdb -batch -ex 'set breakpoint pending on' -ex 'break linear_train' -ex run -ex bt --args "$LAMELLA_BUILD/lamella" run "$SPECS/linear.lam" -g -O0 train --overwrite --out w.safetensors \
    >gdb.txt 2>&1 || true
  grep -q '#0 .*linear_train (m=.*\.c:[0-9]' gdb.txt && grep -q ' main (argc=' gdb.txt || { tail -n 20 gdb.txt; fail "the backtrace in gdb"; }
else
  count_skip "no gdb"
fi
