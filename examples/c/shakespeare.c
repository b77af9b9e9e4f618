/* Trains a character-level GPT on a text and lets it write: ./example TEXT [STEPS]. To build it, in this folder:
     lamella emit ../../specs/shakespeare.lam -o model
     cc -O2 -fopenmp -Imodel shakespeare.c model/shakespeare.c model/lamella.c -o example -lm */
#include "shakespeare.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROWS = SHAKESPEARE_TRAIN_BATCH, LENGTH = SHAKESPEARE_TRAIN_SEQ, WRITTEN = 200 };

static double uniform(void) { return rand() / (RAND_MAX + 1.0); }

static int fail(struct shakespeare *m) {
  fprintf(stderr, "shakespeare: %s\n", m ? shakespeare_message(m) : "not enough memory, or a processor without AVX2");
  return 1;
}

int main(int count, char **arguments) {
  static char text[1 << 20];
  FILE *file = count > 1 ? fopen(arguments[1], "rb") : NULL;
  if (!file) return fputs("usage: shakespeare TEXT [STEPS]\n", stderr), 2;
  const size_t length = fread(text, 1, sizeof text, file);
  const int64_t steps = count > 2 ? atoi(arguments[2]) : 500;
  fclose(file);
  struct shakespeare *m = shakespeare_create();
  int32_t *ids = malloc(length * sizeof *ids);
  int64_t tokens = 0;
  if (!m || !ids || shakespeare_initialize(m, 1) || shakespeare_learn(m, text, length) ||
      shakespeare_encode(m, text, length, ids, (int64_t)length, &tokens))
    return fail(m);
  if (tokens <= LENGTH) return fprintf(stderr, "shakespeare: the text needs more than %d characters\n", LENGTH), 1;
  m->train.steps = (float)steps;
  for (int64_t step = 1; step <= steps; step++) {
    for (int row = 0; row < ROWS; row++) {
      const int64_t from = (int64_t)(uniform() * (double)(tokens - LENGTH));
      for (int i = 0; i < LENGTH; i++) {
        m->train.tokens[row * LENGTH + i] = ids[from + i];
        m->train.next[row * LENGTH + i] = ids[from + i + 1];
        m->train.weight[row * LENGTH + i] = 1;
      }
    }
    if (shakespeare_train(m, step)) return fail(m);
    if (step % 50 == 0) printf("step %d: loss %.3f\n", (int)step, (double)m->train.loss);
  }
  if (shakespeare_save(m, "shakespeare.safetensors")) return fail(m);

  int32_t id = ids[0]; /* begin as the text does */
  for (int64_t position = 0; position < WRITTEN && position < SHAKESPEARE_POS; position++) {
    char letters[4];
    int size;
    m->step.tokens[0] = id, m->step.position[0] = (int32_t)position;
    if (shakespeare_step(m, 1, position + 1) || shakespeare_sample(m, 0, 0.8, 0, 1, uniform(), &id)) return fail(m);
    if (shakespeare_decode(m, id, letters, &size)) return fail(m);
    fwrite(letters, 1, (size_t)size, stdout);
  }
  puts("");
  free(ids);
  shakespeare_destroy(m);
  return 0;
}
