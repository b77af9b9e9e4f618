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
  char text[128], sentence[128];
  refused(gpt_encode(m, "a", 1, ids, 8, &count), GPT_WRONG_ARGUMENT, "there is no vocabulary");
  refused(gpt_learn(m, "", 0), GPT_WRONG_ARGUMENT, "a text without characters");
  refused(gpt_learn(m, "a\xff", 2), GPT_WRONG_ARGUMENT, "is not UTF-8");
  for (int i = 0; i <= GPT_VOCAB; i++) text[i] = (char)(' ' + i);
  snprintf(sentence, sizeof sentence, "the text has %d different characters, and their axis has %d", GPT_VOCAB + 1,
           GPT_VOCAB);
  refused(gpt_learn(m, text, GPT_VOCAB + 1), GPT_WRONG_ARGUMENT, sentence);
  require(gpt_learn(m, "cab", 3) == GPT_OK, "learning after what failed");
  refused(gpt_learn(m, "cab", 3), GPT_WRONG_ARGUMENT, "has its vocabulary already");
  refused(gpt_encode(m, "a", 1, ids, -1, &count), GPT_WRONG_ARGUMENT, "no room for -1");
  refused(gpt_encode(m, "ad", 2, NULL, 8, &count), GPT_WRONG_ARGUMENT, "is not among the 3 that the model knows");
  require(!strstr(gpt_message(m), "--"), "options of a command line in a message of the library");
  require(count == -1 && ids[1] == -1, "encoding that failed");
  require(gpt_encode(m, "abc", 3, NULL, 0, &count) == GPT_OK && count == 3 && ids[0] == -1, "counting");
  require(gpt_encode(m, "cba", 3, ids, 1, &count) == GPT_OK && count == 3 && ids[0] == 2 && ids[1] == -1, "one id");
  count = -1, ids[0] = -1;
  refused(gpt_encode(m, "cbad", 4, ids, 1, &count), GPT_WRONG_ARGUMENT, "is not among the 3 that the model knows");
  require(count == -1 && ids[0] == -1, "encoding that failed behind what there is room for");
  int length = -1;
  require(gpt_decode(m, 3, text, &length) == GPT_OK && length == 0, "an id that stands for nothing");
}

/* Ids without a character are not drawn, even where the caller has not asked for the vocabulary; nor is anything from rows that
   the last step did not compute. */
static void sampling(void) {
  int32_t none = -1;
  for (int i = 0; i < 3; i++) m->step.tokens[i] = 0, m->step.position[i] = i;
  refused(gpt_sample(m, 0, 0, 0, 1, 0, &none), GPT_WRONG_ARGUMENT, "there is no row to sample from");
  require(gpt_step(m, 3, 3) == GPT_OK && gpt_sample(m, 2, 0, 0, 1, 0, &none) == GPT_OK, "three rows");
  require(gpt_step(m, 1, 4) == GPT_OK, "one row");
  none = -1;
  refused(gpt_sample(m, 2, 0, 0, 1, 0, &none), GPT_WRONG_ARGUMENT,
          "row must be from 0 to 0, since the last step computed 1, not 2");
  refused(gpt_sample(m, -1, 0, 0, 1, 0, &none), GPT_WRONG_ARGUMENT, "row must be from 0 to 0");
  require(gpt_step(m, 0, 4) == GPT_WRONG_ARGUMENT && gpt_sample(m, 0, 0, 0, 1, 0, &none) == GPT_OK, "a step refused");
  require(gpt_save(m, "cab.safetensors") == GPT_OK && gpt_load(m, "cab.safetensors") == GPT_OK, "saving and loading");
  none = -1;
  refused(gpt_sample(m, 0, 0, 0, 1, 0, &none), GPT_WRONG_ARGUMENT, "there is no row to sample from");
  require(none == -1 && gpt_step(m, 1, 1) == GPT_OK, "a step after loading");
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

static int knows(char character) {
  int64_t count;
  return gpt_encode(m, &character, 1, NULL, 8, &count) == GPT_OK;
}

/* What ids stand for goes with the parameters: those of a file bring it along, and training does not start from parameters whose ids mean
   something else. cab.safetensors knows a, b and c; `path` nothing. */
static void meanings(const char *path) {
  require(gpt_initialize(m, 1) == GPT_OK && !knows('a'), "what a file said is forgotten with its parameters");
  require(gpt_learn(m, "xyz", 3) == GPT_OK && gpt_initialize(m, 1) == GPT_OK && knows('x'), "what was learned stays");
  require(gpt_load(m, path) == GPT_OK && knows('x'), "a file that says nothing leaves what was learned");
  refused(gpt_start_from(m, "cab.safetensors"), GPT_WRONG_FILE, "trained with other characters than the model has");
  require(knows('x') && !knows('a'), "what a refused file has changed");
  require(gpt_load(m, "cab.safetensors") == GPT_OK && knows('a') && !knows('x'), "a file that has a vocabulary");
  require(gpt_start_from(m, "cab.safetensors") == GPT_OK && knows('a'), "the same vocabulary");
  require(gpt_load(m, path) == GPT_OK && !knows('a'), "the vocabulary of parameters that are gone");
  require(gpt_start_from(m, "cab.safetensors") == GPT_OK && knows('a'), "a vocabulary that nothing contradicts");
  require(gpt_start_from(m, path) == GPT_OK && knows('a'), "starting from a file that says nothing");
}

static void read_file(const char *path, char *bytes, size_t most, size_t *size) {
  FILE *file = fopen(path, "rb");
  *size = file ? fread(bytes, 1, most, file) : 0;
  if (file) fclose(file);
  require(*size > 0 && *size < most, path);
}

static void train_and_save(int64_t step, const char *path) {
  for (int i = 0; i < GPT_TRAIN_BATCH * GPT_TRAIN_SEQ; i++)
    m->train.tokens[i] = i % GPT_VOCAB, m->train.next[i] = (i + 1) % GPT_VOCAB, m->train.weight[i] = 1;
  m->train.steps = 9;
  require(gpt_train(m, step) == GPT_OK && gpt_save(m, path) == GPT_OK, "a step");
}

/* Parameters that come after some training begin it anew: what is then saved, and a step on it, are those of a model that never trained. */
static void anew(const char *path) {
  static char first[1 << 20], second[1 << 20];
  size_t sizes[2];
  int64_t step = -1;
  for (int way = 0; way < 2; way++)
    for (int trained = 0; trained < 2; trained++) {
      char *bytes = trained ? second : first;
      if (gpt_destroy(m), (m = gpt_create()) == NULL || gpt_initialize(m, 1)) exit(2);
      m->train.steps = 9;
      if (trained) train_and_save(5, "other.safetensors");
      require((way ? gpt_start_from(m, path) : gpt_load(m, path)) == GPT_OK && m->trained == 0, "parameters");
      require(gpt_save(m, "anew.safetensors") == GPT_OK, "saving them");
      require(gpt_resume(m, "anew.safetensors", &step) == GPT_OK && step == 0, "resuming at the beginning");
      train_and_save(1, "anew.safetensors");
      read_file("anew.safetensors", bytes, sizeof first, &sizes[trained]);
      if (trained) require(sizes[0] == sizes[1] && !memcmp(first, second, sizes[0]), "training after training");
    }
}

static void names(void) {
  struct gpt_array found;
  refused(gpt_tensor(m, "", &found), GPT_WRONG_ARGUMENT, "there is no tensor \"\"");
  refused(gpt_port(m, "train.", &found), GPT_WRONG_ARGUMENT, "there is no input or output \"train.\"");
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
  names();
  steps();
  part(arguments[1]);
  meanings(arguments[1]);
  anew(arguments[1]);
  gpt_destroy(m);
  gpt_destroy(NULL);
  return 0;
}
