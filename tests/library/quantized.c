/* A forward-only model whose weights are in steps: FLOAT32 and STEPS are files of the same weights; SAVED is written. */
#include <stdio.h>
#include <string.h>

#include "gpt.h"

static float first[GPT_PREDICT_SEQ * GPT_PREDICT_VOCAB];

static int wrong(const char *what, struct gpt *m) {
  fprintf(stderr, "%s: %s\n", what, gpt_message(m));
  return 1;
}

static int predict(struct gpt *m) {
  for (int i = 0; i < GPT_PREDICT_BATCH * GPT_PREDICT_SEQ; i++) m->predict.tokens[i] = i % GPT_VOCAB;
  return gpt_predict(m);
}

int main(int count, char **files) {
  if (count != 4) return 2;
  struct gpt *m = gpt_create();
  if (!m) return 2;
  struct gpt_array tensor;
  if (m->parameters.wte_weight || !m->parameters.ln_f_weight) return wrong("parameters in memory", m);
  if (gpt_tensor(m, "wte.weight", &tensor) == GPT_OK) return wrong("a parameter that is not kept", m);
  if (!strstr(gpt_message(m), "wte.weight is not kept: routines read wte.weight/i8")) return wrong("the message", m);
  if (gpt_tensor(m, "wte.weight/i8", &tensor) != GPT_OK || tensor.type != 5 || tensor.count != GPT_VOCAB * GPT_EMBED)
    return wrong("steps", m);
  if (gpt_tensor(m, "h.0.attn.c_attn.weight/i4", &tensor) != GPT_OK || tensor.type != 7) return wrong("4 bits", m);

  if (gpt_load(m, files[1]) != GPT_OK || predict(m) != GPT_OK) return wrong("float32", m);
  memcpy(first, m->predict.logits, sizeof first);
  if (gpt_initialize(m, 1) != GPT_OK || predict(m) != GPT_OK) return wrong("drawn", m);
  if (!memcmp(first, m->predict.logits, sizeof first)) return wrong("what was drawn is what was loaded", m);
  if (gpt_load(m, "nowhere") == GPT_OK || gpt_load(m, files[2]) != GPT_OK || predict(m) != GPT_OK)
    return wrong("steps", m);
  if (memcmp(first, m->predict.logits, sizeof first) != 0) return wrong("steps predict otherwise", m);
  if (gpt_save(m, files[3]) != GPT_OK || gpt_load(m, files[3]) != GPT_OK || predict(m) != GPT_OK)
    return wrong("saved", m);
  if (memcmp(first, m->predict.logits, sizeof first) != 0) return wrong("what was saved predicts otherwise", m);

  /* Parameters of the caller's own are read by derive; steps of the others stay as they are. */
  static float table[GPT_VOCAB * GPT_EMBED];
  m->parameters.wte_weight = table;
  gpt_changed(m);
  if (gpt_derive(m) != GPT_OK) return wrong("derive", m);
  m->parameters.wte_weight = NULL;
  if (predict(m) != GPT_OK || m->predict.logits[0] != 0 || m->predict.logits[1] != 0)
    return wrong("a table of zeros", m);
  gpt_destroy(m);
  return 0;
}
