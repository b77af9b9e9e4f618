/* losses TEXT WEIGHTS: trains tests/golden/gpt.lam through its library functions and prints the first ten losses, which
   tests/golden/gpt.losses has from PyTorch. Then it loads what was saved and goes on as if nothing had happened. */
#include "gpt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = GPT_TRAIN_BATCH, LENGTH = GPT_TRAIN_SEQ, STEPS = 10 };

static void require(struct gpt *m, int status, const char *what) {
  if (status == GPT_OK) return;
  printf("%s: status %d: %s\n", what, status, gpt_message(m));
  exit(1);
}

/* Windows follow each other as the program's own command line reads them without shuffling. */
static void fill(struct gpt *m, const int32_t *ids, int step) {
  for (int row = 0; row < ROWS; row++) {
    const int32_t *from = ids + ((step - 1) * ROWS + row) * LENGTH;
    memcpy(m->train.tokens + row * LENGTH, from, LENGTH * sizeof *from);
    memcpy(m->train.next + row * LENGTH, from + 1, LENGTH * sizeof *from);
    for (int i = 0; i < LENGTH; i++) m->train.weight[row * LENGTH + i] = 1;
  }
}

int main(int count, char **arguments) {
  static char text[1 << 16];
  FILE *file = count == 3 ? fopen(arguments[1], "rb") : NULL;
  if (!file) return 2;
  const size_t length = fread(text, 1, sizeof text, file);
  fclose(file);
  struct gpt *m = gpt_create(), *other = gpt_create();
  static int32_t ids[sizeof text];
  int64_t tokens, step = 0;
  if (!m || !other) return 3;
  require(m, gpt_initialize(m, 0), "initialize");
  require(m, gpt_start_from(m, arguments[2]), "start_from");
  require(m, gpt_learn(m, text, length), "learn");
  require(m, gpt_encode(m, text, length, ids, (int64_t)length, &tokens), "encode");
  const int64_t windows = (tokens - 1) / LENGTH;
  m->train.steps = (float)((windows + ROWS - 1) / ROWS);
  for (int i = 1; i <= STEPS; i++) {
    fill(m, ids, i);
    require(m, gpt_train(m, i), "train");
    printf("%.6f\n", (double)m->train.loss);
    if (i == 5) require(m, gpt_save(m, "half.safetensors"), "save");
  }
  require(other, gpt_resume(other, "half.safetensors", &step), "resume");
  if (step != 5) return 4;
  for (int i = (int)step + 1; i <= STEPS; i++) {
    other->train.steps = m->train.steps;
    fill(other, ids, i);
    require(other, gpt_train(other, i), "train on");
  }
  for (int i = 0; i < GPT_VOCAB * GPT_EMBED; i++)
    if (m->parameters.wte_weight[i] != other->parameters.wte_weight[i]) return 5;
  gpt_destroy(m);
  gpt_destroy(other);
  return 0;
}
