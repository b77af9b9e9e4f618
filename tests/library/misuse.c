/* misuse WEIGHTS: each mistake of a caller has a status and a message, and changes nothing. */
#include "gpt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct gpt *m;

static void require(int good, const char *what) {
  if (good) return;
  printf("%s: \"%s\"\n", what, gpt_message(m));
  exit(1);
}

static void refused(int status, int wanted, const char *sentence) {
  require(status == wanted, sentence);
  require(strstr(gpt_message(m), sentence) != NULL, sentence);
}

static void vocabulary(void) {
  int32_t ids[8] = {-1, -1};
  int64_t count = -1;
  char text[128];
  refused(gpt_encode(m, "a", 1, ids, 8, &count), GPT_WRONG_ARGUMENT, "there is no vocabulary");
  refused(gpt_learn(m, "", 0), GPT_WRONG_ARGUMENT, "a text without characters");
  refused(gpt_learn(m, "a\xff", 2), GPT_WRONG_ARGUMENT, "is not UTF-8");
  require(gpt_learn(m, "cab", 3) == GPT_OK, "learning after what failed");
  refused(gpt_learn(m, "cab", 3), GPT_WRONG_ARGUMENT, "has its vocabulary already");
  refused(gpt_encode(m, "a", 1, ids, -1, &count), GPT_WRONG_ARGUMENT, "no room for -1");
  refused(gpt_encode(m, "ad", 2, NULL, 8, &count), GPT_WRONG_ARGUMENT, "is not among the 3");
  require(count == -1 && ids[1] == -1, "encoding that failed");
  require(gpt_encode(m, "abc", 3, NULL, 8, &count) == GPT_OK && count == 3 && ids[0] == -1, "counting");
  require(gpt_encode(m, "cba", 3, ids, 1, &count) == GPT_OK && count == 1 && ids[0] == 2 && ids[1] == -1, "one id");
  int length = -1;
  require(gpt_decode(m, 3, text, &length) == GPT_OK && length == 0, "an id that stands for nothing");
}

/* Ids without a character are not drawn, even where the caller has not asked for the vocabulary. */
static void sampling(void) {
  require(gpt_save(m, "cab.safetensors") == GPT_OK && gpt_load(m, "cab.safetensors") == GPT_OK, "saving and loading");
  for (int i = 0; i < GPT_VOCAB; i++) m->step.logits[i] = (float)i;
  int32_t id = -1;
  require(gpt_sample(m, 0, 0, 0, 1, 0, &id) == GPT_OK && id == 2, "an id that the vocabulary has");
  refused(gpt_sample(m, 0, 1, 0, 1, 1, &id), GPT_WRONG_ARGUMENT, "uniform must be");
  refused(gpt_sample(m, 0, (double)NAN, 0, 1, 0, &id), GPT_WRONG_ARGUMENT, "temperature, top_k and top_p must be");
  refused(gpt_sample(m, 0, -1, 0, 1, 0, &id), GPT_WRONG_ARGUMENT, "temperature, top_k and top_p must be");
  refused(gpt_sample(m, 0, 1, -1, 1, 0, &id), GPT_WRONG_ARGUMENT, "temperature, top_k and top_p must be");
  refused(gpt_sample(m, 0, 1, 0, (double)NAN, 0, &id), GPT_WRONG_ARGUMENT, "temperature, top_k and top_p must be");
  refused(gpt_sample(m, GPT_STEP_SEQ, 1, 0, 1, 0, &id), GPT_WRONG_ARGUMENT, "row must be");
}

/* Writes a file whose facts are damaged, each in one byte. */
static void facts(void) {
  FILE *file = fopen("cab.safetensors", "rb");
  static char bytes[1 << 22];
  const size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
  if (file) fclose(file);
  int32_t id = -1;
  int64_t count = -1;
  for (size_t i = 0; i + 16 < size && i < 20000; i++) {
    char *letter = !memcmp(bytes + i, "\"char\"", 6)  ? bytes + i + 1
                   : !memcmp(bytes + i, "\"abc\"", 5) ? bytes + i + 2
                                                      : NULL;
    if (!letter) continue;
    const char kept = *letter;
    *letter = (char)0xff;
    refused(gpt_load_memory(m, bytes, size), GPT_WRONG_FILE, kept == 'c' ? "ids mean something else" : "is not one");
    *letter = kept;
    count--;
  }
  require(count == -3, "both facts");
  require(gpt_encode(m, "a", 1, &id, 1, &count) == GPT_OK && id == 0, "the vocabulary as it was");
}

/* Steps count from 1, and their number is saved. */
static void steps(void) {
  static float before[GPT_VOCAB * GPT_EMBED];
  int64_t step = -1;
  memcpy(before, m->parameters.wte_weight, sizeof before);
  refused(gpt_train(m, 0), GPT_WRONG_ARGUMENT, "step counts from 1");
  refused(gpt_train(m, -1), GPT_WRONG_ARGUMENT, "step counts from 1");
  refused(gpt_train(m, INT64_MAX), GPT_WRONG_ARGUMENT, "step counts from 1");
  require(!memcmp(before, m->parameters.wte_weight, sizeof before), "steps that are none");
  m->train.steps = 70;
  require(gpt_train(m, 3) == GPT_OK && gpt_save(m, "steps.safetensors") == GPT_OK, "a step");
  m->train.steps = -1;
  require(gpt_resume(m, "steps.safetensors", &step) == GPT_OK && step == 3, "resume");
  require(m->train.steps > 69 && m->train.steps < 71, "how many steps there are");
  m->train.steps = NAN;
  require(gpt_save(m, "steps.safetensors") == GPT_OK, "saving no number of steps");
  require(gpt_resume(m, "steps.safetensors", &step) == GPT_OK && m->train.steps >= 0, "resuming it");
}

/* A message says what a file lacks, though training may begin from it. */
static void part(const char *path) {
  require(gpt_start_from(m, path) == GPT_OK && !*gpt_message(m), "starting from all parameters");
  FILE *file = fopen(path, "rb");
  static char bytes[1 << 20];
  const size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
  if (file) fclose(file);
  for (size_t i = 0; i + 16 < size; i++)
    if (!memcmp(bytes + i, "\"ln_f.bias\"", 11)) bytes[i + 1] = 'x';
  file = fopen("part.safetensors", "wb");
  require(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0, "writing");
  refused(gpt_load(m, "part.safetensors"), GPT_WRONG_FILE, "it lacks ln_f.bias; it has xn_f.bias");
  require(gpt_start_from(m, "part.safetensors") == GPT_OK, "starting from a part");
  require(strstr(gpt_message(m), "lacks ln_f.bias") != NULL, "what the part lacks");
}

int main(int count, char **arguments) {
  if (count != 2) return 2;
  m = gpt_create();
  if (!m || gpt_initialize(m, 1)) return 2;
  vocabulary();
  sampling();
  facts();
  steps();
  part(arguments[1]);
  gpt_destroy(m);
  gpt_destroy(NULL);
  return 0;
}
