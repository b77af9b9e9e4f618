#!/usr/bin/env bash
# A computed index along the rows so far points past them: the interpreter stops, and compiled programs take the last
# row so far, not one for which their memory has room.
. "$(dirname "$0")/../lib.sh"

cat > late.lam <<'END'
use "std/optim.lam"
axis vocab = 7
axis seq <= 40
axis past == seq
model m(tokens[seq] in vocab) -> logits[seq, vocab] {
  param w = 5
  k = cached(tokens[seq -> past])
  last = k[past = position(seq) + 5]
  return where(index(vocab) == (last + 1) % 7, w, 0)
}
data d { examples = 1; tokens = floor(index(seq) * 0.1) }
train m on d { loss = logits; optimizer = sgd(lr = 0); steps = 1 }
generate m { over = seq; feed = tokens; from = logits }
END
"$LAMELLA_BUILD/lamella" run late.lam info 2>&1 | grep -q "built without LLVM" && skip "no LLVM"
for options in --target=portable "" --passes=none --passes=-simplify; do
  lamella run late.lam $options train --overwrite > /dev/null
  expect_equal "$(lamella run late.lam $options generate --prompt "3 5" --tokens 8 --temperature 0 2> /dev/null)" "3 5 6 0 1 2 3 4 5 6 " "$options"
done
expect_status 1 lamella interpret late.lam generate --prompt "3 5" --tokens 8 --temperature 0
grep -q "is outside of axis past, which has 2 elements" stderr || { cat stderr; fail "no message"; }
