/* Two models, each trained by a thread of its own, give the numbers that one gives alone; and a model is placed in this
   program's memory. */
#include "gpt.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 3 };

static void *train(void *self) {
  struct gpt *m = self;
  if (gpt_initialize(m, 3)) return NULL;
  for (int step = 1; step <= STEPS; step++) {
    for (int i = 0; i < GPT_TRAIN_BATCH * GPT_TRAIN_SEQ; i++) {
      m->train.tokens[i] = (i * 7 + step) % GPT_VOCAB;
      m->train.next[i] = (i * 7 + step + 7) % GPT_VOCAB;
      m->train.weight[i] = 1;
    }
    if (gpt_train(m, step)) return NULL;
  }
  return m;
}

int main(void) {
  const size_t size = gpt_size();
  char *memory = malloc(size + 1);
  struct gpt *placed, *made = gpt_create(), *alone = gpt_create();
  if (!memory || !made || !alone) return 2;
  if (gpt_place(&placed, memory + 1, size - 1) != GPT_NO_MEMORY || placed) return 3;
  memset(memory, 0xA5, size + 1);
  if (gpt_place(&placed, memory + 1, size) != GPT_OK) return 4; /* at an odd address */
  struct gpt *models[2] = {placed, made};
  pthread_t threads[2];
  for (int i = 0; i < 2; i++)
    if (pthread_create(&threads[i], NULL, train, models[i])) return 5;
  for (int i = 0; i < 2; i++) {
    void *good;
    if (pthread_join(threads[i], &good) || !good) return 6;
  }
  if (!train(alone)) return 7;
  for (int i = 0; i < 2; i++)
    if (memcmp(models[i]->parameters.wte_weight, alone->parameters.wte_weight, GPT_VOCAB * GPT_EMBED * sizeof(float)) ||
        models[i]->train.loss != alone->train.loss)
      return 8;
  /* Calls that would read or write outside of the data are refused. */
  alone->train.tokens[5] = GPT_VOCAB;
  if (gpt_train(alone, STEPS + 1) != GPT_WRONG_ARGUMENT || !strstr(gpt_message(alone), "tokens")) return 9;
  alone->train.tokens[5] = -1;
  if (gpt_train(alone, STEPS + 1) != GPT_WRONG_ARGUMENT || alone->trained != STEPS) return 10;
  alone->step.tokens[0] = alone->step.position[0] = 0;
  if (gpt_step(alone, 0, 1) != GPT_WRONG_ARGUMENT || gpt_step(alone, 1, 0) != GPT_WRONG_ARGUMENT ||
      gpt_step(alone, 1, GPT_PAST + 1) != GPT_WRONG_ARGUMENT || gpt_step(alone, 1, 1) != GPT_OK)
    return 11;
  struct gpt_array tensor;
  if (gpt_tensor(alone, "h.1.ln_2.weight", &tensor) || tensor.count != GPT_EMBED || tensor.rank != 1 ||
      tensor.data != alone->parameters.h_ln_2_weight[1] || strcmp(tensor.axes, "embed"))
    return 12;
  if (gpt_port(alone, "train.next", &tensor) || tensor.data != alone->train.next || tensor.type != 1) return 13;
  if (gpt_port(alone, "train.loss", &tensor) || tensor.data != &alone->train.loss || tensor.rank) return 14;
  if (gpt_tensor(alone, "h.2.ln_2.weight", &tensor) != GPT_WRONG_ARGUMENT || !gpt_message(alone)[0]) return 15;
  /* An output may be directed to other memory. */
  static float logits[GPT_PREDICT_BATCH * GPT_PREDICT_SEQ * GPT_VOCAB];
  float *own = alone->predict.logits;
  if (gpt_predict(alone)) return 16;
  alone->predict.logits = logits;
  if (gpt_predict(alone) || memcmp(own, logits, sizeof logits)) return 17;
  gpt_destroy(placed);
  gpt_destroy(made);
  gpt_destroy(alone);
  free(memory);
  return 0;
}
