/* faults WEIGHTS: each allocation, read and write of the library fails in turn, by functions that --wrap puts in their
   place. A call that fails has the right status, leaves no file behind, and changes nothing: the model predicts the
   same as before. */
#include "gpt.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Saving writes a thousand times, so not all of the later calls are tried. */
enum { FIRST = 60, STRIDE = 41 };

static int calls, failing; /* the number of the call that fails; 0: none */

static int fails(int problem) {
  if (++calls != failing) return 0;
  errno = problem;
  return 1;
}

#define WRAP(type, name, parameters, arguments, failure, problem) \
  type __real_##name parameters;                                  \
  type __wrap_##name parameters;                                  \
  type __wrap_##name parameters { return fails(problem) ? (failure) : __real_##name arguments; }
WRAP(void *, malloc, (size_t size), (size), NULL, ENOMEM)
WRAP(void *, calloc, (size_t count, size_t size), (count, size), NULL, ENOMEM)
WRAP(void *, realloc, (void *old, size_t size), (old, size), NULL, ENOMEM)
WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL, EACCES)
WRAP(size_t, fwrite, (const void *from, size_t size, size_t count, FILE *file), (from, size, count, file), 0, ENOSPC)
WRAP(int, fflush, (FILE * file), (file), EOF, ENOSPC)
WRAP(int, fsync, (int file), (file), -1, EIO)
WRAP(int, rename, (const char *from, const char *to), (from, to), -1, EACCES)
WRAP(void *, mmap, (void *at, size_t length, int protection, int flags, int file, long offset),
     (at, length, protection, flags, file, offset), (void *)-1, ENOMEM)
int __real_fclose(FILE *file);
int __wrap_fclose(FILE *file);
int __wrap_fclose(FILE *file) { /* it closes the file even when it fails */
  const int status = __real_fclose(file);
  return fails(ENOSPC) ? EOF : status;
}
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) { return fails(EACCES) ? -1 : __real_open(path, flags); }

static float before[GPT_PREDICT_SEQ * GPT_VOCAB];

static int predicts_the_same(struct gpt *m) {
  return gpt_predict(m) == GPT_OK && !memcmp(before, m->predict.logits, sizeof before);
}

static int there(const char *path) {
  FILE *file = __real_fopen(path, "rb");
  if (file) __real_fclose(file);
  return file != NULL;
}

/* The functions of the library that are tried. */
static const char *weights;
static int load(struct gpt *m) { return gpt_load(m, weights); }
static int resume(struct gpt *m) {
  int64_t step = -1;
  const int status = gpt_resume(m, "trained.safetensors", &step);
  return status != GPT_OK && step != -1 ? 100 : status;
}
static int save(struct gpt *m) { return gpt_save(m, "new.safetensors"); }
static int learn(struct gpt *m) { return gpt_learn(m, "hello", 5); }
static int encode(struct gpt *m) {
  int32_t ids[8];
  int64_t count = -1;
  const int status = gpt_encode(m, "hello", 5, ids, 8, &count);
  return status != GPT_OK && count != -1 ? 100 : status;
}
static int decode(struct gpt *m) {
  char text[4];
  int length = -1;
  const int status = gpt_decode(m, 0, text, &length);
  return status != GPT_OK ? (length == -1 ? status : 100) : length == 1 && text[0] == 'e' ? GPT_OK : 101;
}
static int step(struct gpt *m) {
  m->step.tokens[0] = m->step.position[0] = 0;
  return gpt_step(m, 1, 1);
}
static int resume_and_step(struct gpt *m) { return resume(m) || step(m); }
static int start_from(struct gpt *m) { return gpt_start_from(m, "trained.safetensors"); }
static int sample(struct gpt *m) {
  int32_t id = -1;
  const int status = gpt_sample(m, 0, 1, 0, 1, 0.5, &id);
  return status != GPT_OK && id != -1 ? 100 : status;
}
static const struct {
  const char *name;
  int (*run)(struct gpt *m);
  int (*before)(struct gpt *m); /* called first, or NULL */
} tried[] = {{"load", load, NULL},
             {"resume", resume, NULL},
             {"save", save, NULL},
             {"learn", learn, NULL},
             {"encode", encode, learn},
             {"encode after resume", encode, resume},
             {"decode after resume", decode, resume},
             {"load after learn", load, learn},
             {"start_from after learn", start_from, learn},
             {"sample", sample, step},
             {"sample after resume", sample, resume_and_step}};

static int check(int status, const char *message) {
  return (status == GPT_NO_MEMORY || status == GPT_CANNOT_READ || status == GPT_CANNOT_WRITE) && message[0];
}

int main(int count, char **arguments) {
  int passed = 0;
  if (count != 2) return 2;
  weights = arguments[1];
  for (failing = 1;; failing++) { /* the memory of a model itself */
    calls = 0;
    struct gpt *m = gpt_create();
    const int none = calls < failing;
    if (!m != !none) return printf("create, call %d\n", failing), 1;
    gpt_destroy(m);
    if (none) break;
  }
  failing = 0;
  struct gpt *trained = gpt_create();
  if (!trained || gpt_initialize(trained, 7) || learn(trained) || gpt_train(trained, 1) ||
      gpt_save(trained, "trained.safetensors"))
    return 3;
  gpt_destroy(trained);
  for (size_t i = 0; i < sizeof tried / sizeof *tried; i++)
    for (int call = 1, done = 0; !done; call += call < FIRST ? 1 : STRIDE) {
      failing = 0;
      struct gpt *m = gpt_create();
      if (!m || gpt_initialize(m, 1) || (tried[i].before && tried[i].before(m)) || gpt_predict(m)) return 4;
      memcpy(before, m->predict.logits, sizeof before);
      remove("new.safetensors");
      calls = 0;
      failing = call;
      const int status = tried[i].run(m);
      done = calls < call;
      failing = 0;
      if (done && status != GPT_OK) return printf("%s: status %d: %s\n", tried[i].name, status, gpt_message(m)), 1;
      if (!done && !check(status, gpt_message(m)))
        return printf("%s, call %d: status %d, \"%s\"\n", tried[i].name, call, status, gpt_message(m)), 1;
      if (!done && (!predicts_the_same(m) || there("new.safetensors") || there("new.safetensors.new")))
        return printf("%s, call %d: something has changed\n", tried[i].name, call), 1;
      if (!done && tried[i].run(m) != GPT_OK)
        return printf("%s after call %d: %s\n", tried[i].name, call, gpt_message(m)), 1;
      passed += !done;
      gpt_destroy(m);
    }
  printf("%d failures\n", passed);
  return 0;
}
