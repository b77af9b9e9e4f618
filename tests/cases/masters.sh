#!/usr/bin/env bash
# slow
# Weights without masters: bf16 in memory and in files, with updates that are rounded at random. Each element is what golden/masters.py
# computed by hand, by the interpreter and every target; rounding to nearest would leave the weights where they began.
. "$(dirname "$0")/../lib.sh"
expect_tensor() { "$LAMELLA_BUILD/tests/tools/expect_tensor" "$@"; }
spec=$GOLDEN/masters.lam

# as_fixture STEP FILE: the weights are those of the fixture, exactly.
as_fixture() {
  local step name numbers
  while read -r step name numbers; do
    [[ $step == "$1" ]] || continue
    # shellcheck disable=SC2086 # words
    expect_tensor "$2" "$name" 16x4 0 $numbers || return 1
  done <"$GOLDEN/masters.weights"
}
for way in interpret portable avx2 avx512; do
  runs_here "$way" || { count_skip "$way"; continue; }
  command=(run "$spec" --target="$way")
  [[ $way == interpret ]] && command=(interpret "$spec")
  lamella "${command[@]}" --verify train --out "$way.safetensors" >out.txt
  as_fixture 400 "$way.safetensors" || fail "weights after 400 steps, $way"
  lamella "${command[@]}" train --steps 150 --out halves.safetensors --overwrite >out.txt
  as_fixture 150 halves.safetensors || fail "weights after 150 steps, $way"
  lamella "${command[@]}" train --resume --out halves.safetensors >out.txt 2>&1
  cmp "$way.safetensors" halves.safetensors || fail "resumed weights differ, $way"
  # Another seed draws otherwise.
  lamella "${command[@]}" -D train.seed=6 train --out halves.safetensors --overwrite >out.txt
  ! as_fixture 400 halves.safetensors >out.txt || fail "the seed changes nothing, $way"
done
# The biases have one axis and stay in float32: 400 steps of 2^-11.
# shellcheck disable=SC2046 # words
expect_tensor interpret.safetensors bias 16 0 $(yes 1.3046875 | head -16)

# The mean of the fixture is where the weights would be without rounding, 400 steps of 2^-11 x input on, to within 4 deviations of a mean
# of 16 elements; a step of bf16 is 2^-7, and one update rounds with the variance of a draw.
awk '$1 == 400 {
  for (i = 0; i < 4; i++) {
    split("1 0.5 0.25 -1", input, " "); x = input[i + 1]; share = (x < 0 ? -x : x) / 16
    mean = 0; for (j = 0; j < 16; j++) mean += $(3 + 4 * j + i) / 16
    off = mean - (($2 == "up" ? 1.5 : -1.75) - 400 * x / 2048)
    if (off < 0) off = -off
    if (!(off < 4 * sqrt(400 * share * (1 - share) / 16) / 128)) { print $2, x, "is off by", off; bad = 1 }
    checked++
  }
} END { exit bad || checked != 8 }' "$GOLDEN/masters.weights" || fail "the mean of the updates is not that of what is rounded"
# Rounding to nearest moves nothing.
for name in up:1.5 down:-1.75; do
  lamella run "$spec" --passes=default -D 'train.optimizer=nearest(lr = 2 ^ -11)' train --out nearest.safetensors --overwrite >out.txt
  # shellcheck disable=SC2046 # words
  expect_tensor nearest.safetensors "${name%:*}" 16x4 0 $(yes -- "${name#*:}" | head -64)
done

# Half of the memory and half of the file: of 265,218 numbers 264,192 are in weights of two axes. A program that does not train keeps
# them as narrow, and computes what the training program does of the same file.
net() { lamella "$1" "$SPECS/mlp.lam" -D hidden=512 -D 'train.optimizer=sgd(lr = 0.1)' --passes="mixed(bf16, masters = $2), derive(packed = 0)" "${@:3}"; }
for masters in 1 0; do
  net run $masters info >info$masters.txt
  net run $masters train --steps 3 --out w$masters.safetensors >out.txt
  net emit $masters --only=predict -o e$masters
  printf '#include <stdio.h>\n#include "mlp.h"\nint main(void) { printf("%%zu\\n", mlp_size()); }\n' >e$masters/size.c
  cc -fopenmp -o size$masters e$masters/size.c e$masters/mlp.c e$masters/lamella.c -lm
  net run $masters predict --input x=0.5,0.25 --weights w$masters.safetensors --out p.safetensors >out.txt
  cc -fopenmp -o predict$masters e$masters/mlp.c e$masters/mlp_main.c e$masters/lamella*.c -lm
  ./predict$masters predict --input x=0.5,0.25 --weights w$masters.safetensors --out q.safetensors >out.txt
  cmp p.safetensors q.safetensors || fail "the program that only predicts gives something else, masters = $masters"
done
grep -q 'uint16_t \*fc1_weight; /\* bf16, \[' e0/mlp.h || fail "the header does not tell that weights are bf16: $(grep weight e0/mlp.h)"
net emit 0 --only=predict --weights=w0.safetensors -o baked
cc -Wall -Wextra -Werror -fopenmp -o with_weights baked/*.c -lm
./with_weights predict --input x=0.5,0.25 --out q.safetensors >out.txt
cmp p.safetensors q.safetensors || fail "weights that are a part of the program give something else"
expect_contains "$(cat info0.txt)" "parameter, bf16"
expect_contains "$(cat info0.txt)" "; 0.5 MB in all"
expect_contains "$(grep 'fc2.bias' info0.txt)x" "parameterx"
((2 * 264192 - ($(./size1) - $(./size0)) < 1024)) || fail "$(./size0) bytes, and $(./size1) with masters"
saved=$(($(stat -c %s w1.safetensors) - $(stat -c %s w0.safetensors) - 2 * 264192)) # but for the header
((-64 < saved && saved < 64)) || fail "$(stat -c %s w0.safetensors) bytes in the file, and $(stat -c %s w1.safetensors) with masters"

# Either reads what the other wrote: float32 is rounded to nearest.
for masters in 1 0; do
  other=w$((1 - masters)).safetensors
  for way in run interpret; do net $way $masters eval --weights "$other" | awk '{print $3}' >eval_$way.txt; done
  near eval_interpret.txt eval_run.txt 0.00015 || fail "what the other pipeline wrote, masters = $masters" # the last digit printed
  net run $masters train --steps 4 --resume --out "$other" >out.txt 2>&1 || { cat out.txt; fail "resuming what the other pipeline wrote"; }
  expect_contains "$(tail -1 out.txt)" "step 4"
done
