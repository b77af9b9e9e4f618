#!/usr/bin/env bash
# long
# Keys and values that are kept in few bits give what numpy says of the same steps and scales (golden/quantize_cache.py): predicted by the
# interpreter and by compiled programs, and generated in windows by rows that stand at different positions.
. "$(dirname "$0")/../lib.sh"
fixture=$GOLDEN/quantize_cache.logits
tokens=$(sed -n 's/^tokens //p' "$fixture")
model=("$GOLDEN/gpt.lam" -D seq=10)

# logits_as NUMBERS TOLERANCE COMMAND PIPELINE OPTION...: predicts for the fixture's text.
logits_as() {
  local numbers=$1 tolerance=$2 command=$3 pipeline=$4
  shift 4
  lamella "$command" "${model[@]}" --passes="$pipeline" "$@" predict --weights "$GOLDEN/gpt.safetensors" --input tokens="$tokens" \
    --out got.safetensors >out.txt || return
  # shellcheck disable=SC2086 # words
  "$LAMELLA_BUILD/tests/tools/expect_tensor" got.safetensors logits 1x10x65 "$tolerance" $numbers
}

# A program of generation: three rows read the text in windows that begin at places of their own, and some positions twice.
cat >windows.c <<'END'
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "few.h"

enum { LENGTH = 10, ROWS = 3, WINDOWS = 4 };
static const int sizes[WINDOWS] = {4, 1, 3, 5}, begins[WINDOWS][ROWS] = {{0, 0, 0}, {4, 3, 2}, {3, 4, 2}, {5, 5, 5}};

int main(int count, char **arguments) {
  struct few *m = few_create();
  int wrong = 0, looked_at = 0;
  if (count != 2 + LENGTH + LENGTH * FEW_VOCAB || !m || few_load(m, arguments[1])) return 2;
  for (int i = 0, past = 0; i < WINDOWS; i++) {
    for (int row = 0; row < ROWS; row++) {
      if (begins[i][row] + sizes[i] > past) past = begins[i][row] + sizes[i];
      for (int w = 0; w < sizes[i]; w++) {
        m->step.position[row * FEW_SEQ + w] = begins[i][row] + w;
        m->step.tokens[row * FEW_SEQ + w] = atoi(arguments[2 + begins[i][row] + w]);
      }
    }
    if (few_step(m, sizes[i], past)) return 3;
    for (int row = 0; row < ROWS; row++)
      for (int w = 0; w < sizes[i]; w++)
        for (int v = 0; v < FEW_VOCAB; v++) {
          const double expected = atof(arguments[2 + LENGTH + (begins[i][row] + w) * FEW_VOCAB + v]);
          const double got = m->step.logits[(row * FEW_SEQ + w) * FEW_VOCAB + v];
          looked_at++;
          if (!(fabs(got - expected) <= 2e-5) && wrong++ < 5)
            printf("window %d, row %d, position %d, id %d: expected %g, got %g\n", i, row, begins[i][row] + w, v, expected, got);
        }
  }
  few_destroy(m);
  return wrong || looked_at != 13 * ROWS * FEW_VOCAB;
}
END

# windows_as NUMBERS TARGET PIPELINE
windows_as() {
  rm -rf emitted
  lamella emit "${model[@]}" --name=few -D generate.batch=3 --only=step --target="$2" --passes="$3" -o emitted
  cc -O1 -DLAMELLA_NO_MAIN -Iemitted windows.c emitted/few.c emitted/lamella.c -lm -o windows
  # shellcheck disable=SC2086 # words
  ./windows "$GOLDEN/gpt.safetensors" ${tokens//,/ } $1
}

while IFS= read -r line; do
  pipeline=${line%%: *} numbers=${line#*: }
  logits_as "$numbers" 1e-6 interpret "$pipeline" || fail "$pipeline, interpreted"
  ! logits_as "$numbers" 1e-4 interpret default >wrong.txt || fail "float32 passes for $pipeline"
  for target in portable avx2 avx512; do
    runs_here "$target" || { count_skip "$target"; continue; }
    logits_as "$numbers" 2e-5 run "$pipeline" --target="$target" || fail "$pipeline, $target"
    windows_as "$numbers" "$target" "$pipeline" || fail "$pipeline in windows, $target"
    everything || [[ $target == avx2 ]] || continue
    logits_as "$numbers" 2e-5 run "$pipeline, -derive -fuse" --target="$target" || fail "$pipeline without derive and fuse, $target"
    windows_as "$numbers" "$target" "$pipeline, -derive -hoist -fuse" || fail "$pipeline in windows without derive, hoist and fuse, $target"
  done
done < <(grep quantize "$fixture")

# Which part of a program is compiled changes nothing: predict alone reads the same steps as beside a step of generation.
numbers=$(sed -n 's/^quantize_cache(i4): //p' "$fixture")
logits_as "$numbers" 2e-5 run "quantize_cache(i4)" --only=predict || fail "predict alone"

# A cache of steps takes a quarter or an eighth of the memory, and four bytes for each scale of 64 elements.
memory() { lamella run "$SPECS/llama.lam" -O0 -D repeat.layers=2 -D seq=4096 --only=step --passes="$1" info --all >info.txt; grep '^  cache ' info.txt | tr -s ' ' | sed 's/ -//g'; }
expect_equal "$(memory default)" " cache 16.777 16.777"
expect_equal "$(memory quantize_cache)" " cache 0.262 4.194 4.456"
expect_equal "$(memory 'quantize_cache(i4)')" " cache 0.262 2.097 2.359"
expect_equal "$(grep -c 'cache, i4$' info.txt)" 4 "caches of four bits"
expect_equal "$(grep -c 'k/cache/scale *\[batch=1, kv=4, past=4096\] *cache$' info.txt)" 2 "scales of keys"
