#!/usr/bin/env bash
# A model that accumulates gradients, by the library: what was summed for other parameters is not a part of a step with those that are loaded.
. "$(dirname "$0")/../lib.sh"

strict=(-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wdouble-promotion -Wcast-qual -Werror)
cat >table.lam <<'END_OF_SPEC'
use "std/loss.lam"
use "std/optim.lam"
axis color = 3
axis class = 2
model table(c in color, x: real) -> logits[class] {
  param row[color, class] ~ normal(0.5)
  return row[color = c] * x
}
data rows { csv = "rows.csv"; c = category("color", color); x = number("x"); kind = category("kind", class) }
train table on rows { loss = cross_entropy(logits, kind, class); optimizer = adamw(lr = 0.1); batch = 3; accumulate = 2; steps = 10 }
END_OF_SPEC
lamella emit table.lam --target=portable -o table
gcc "${strict[@]}" -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Itable "$LAMELLA_ROOT/tests/library/accumulate.c" \
  table/table.c table/lamella.c -o accumulate -lm || fail "accumulate.c"
./accumulate begin.safetensors || fail "a step after accumulation for other parameters: status $?"
