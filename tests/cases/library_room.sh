#!/usr/bin/env bash
# Learning by the library refuses a text with more characters than the axis of ids has, of which the mask takes one.
. "$(dirname "$0")/../lib.sh"

cat >mask.lam <<'END_OF_SPEC'
use "std/loss.lam"
use "std/optim.lam"
axis vocab = 4
axis seq = 4
axis embed = 4
model mask(tokens[seq] in vocab) -> logits[seq, vocab] {
  param e[vocab, embed] ~ normal(0.5)
  return e[vocab = tokens] @embed e
}
data d { text = "t.txt"; tokenizer = char; corrupt = 0.5 }
train mask on d { loss = cross_entropy(logits, target, vocab), weight; optimizer = sgd(lr = 0.03); batch = 2; steps = 3 }
END_OF_SPEC
lamella emit mask.lam --target=portable -o mask
cat >use.c <<'END_OF_C'
#include <stdio.h>
#include "mask.h"
int main(void) {
  struct mask *m = mask_create();
  if (!m || mask_learn(m, "abcd", 4) != MASK_WRONG_ARGUMENT) return 1;
  puts(mask_message(m));
  const int status = mask_learn(m, "abc", 3);
  mask_destroy(m);
  return status;
}
END_OF_C
gcc -std=c11 -Wall -Wextra -Werror -O1 -Imask use.c mask/mask.c mask/lamella.c -o use -lm
expect_equal "$(./use)" "the text has 4 different characters, the mask is one token more, and their axis has 4"
