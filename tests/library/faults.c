/* faults WEIGHTS: each allocation, read and write of the library fails in turn, by functions that --wrap puts in their
   place. A call that fails has the right status, leaves no file behind, and changes nothing: the model predicts the
   same as before. A file that is to be replaced stays whole. */
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
WRAP(void *, mmap, (void *at, size_t length, int protection, int flags, int file, long offset),
     (at, length, protection, flags, file, offset), (void *)-1, ENOMEM)
#ifdef LAM_PLAIN_FILES
enum { PLAIN = 1 };
#else
enum { PLAIN = 0 };
#endif
static int there(const char *path);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to) {
  if (fails(EACCES)) return -1;
  if (PLAIN && there(to)) return errno = EEXIST, -1; /* as on Windows */
  return __real_rename(from, to);
}
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

static const char old[] = "what the file held before";

static void put_old(const char *path) {
  FILE *file = __real_fopen(path, "wb");
  if (!file || __real_fwrite(old, 1, sizeof old, file) != sizeof old || __real_fclose(file)) exit(5);
}

static int is_old(const char *path) {
  char bytes[sizeof old + 1];
  FILE *file = __real_fopen(path, "rb");
  const size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
  if (file) __real_fclose(file);
  return size == sizeof old && !memcmp(bytes, old, size);
}

/* Whether saving has left a file beside its own. */
static int leaves(void) { return there("new.safetensors.new") || there("new.safetensors.new.old"); }

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
  int over; /* whether new.safetensors is there */
} tried[] = {{"load", load, NULL, 0},
             {"resume", resume, NULL, 0},
             {"save", save, NULL, 0},
             {"save over a file", save, NULL, 1},
             {"learn", learn, NULL, 0},
             {"encode", encode, learn, 0},
             {"encode after resume", encode, resume, 0},
             {"decode after resume", decode, resume, 0},
             {"load after learn", load, learn, 0},
             {"start_from after learn", start_from, learn, 0},
             {"sample", sample, step, 0},
             {"sample after resume", sample, resume_and_step, 0}};

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
      if (tried[i].over) put_old("new.safetensors");
      calls = 0;
      failing = call;
      const int status = tried[i].run(m);
      done = calls < call;
      failing = 0;
      if (done && status != GPT_OK) return printf("%s: status %d: %s\n", tried[i].name, status, gpt_message(m)), 1;
      /* Without POSIX a file that was read may fail to close, and one that is not there to move out of the way. */
      const int needless = PLAIN && status == GPT_OK, saves = tried[i].run == save;
      if (!done && needless && saves && (leaves() || gpt_load(m, "new.safetensors") != GPT_OK))
        return printf("%s, call %d: \"%s\"\n", tried[i].name, call, gpt_message(m)), 1;
      if (!done && !needless && !check(status, gpt_message(m)))
        return printf("%s, call %d: status %d, \"%s\"\n", tried[i].name, call, status, gpt_message(m)), 1;
      const int kept = tried[i].over ? is_old("new.safetensors") : !there("new.safetensors");
      if (!done && !needless && (!predicts_the_same(m) || !kept || leaves()))
        return printf("%s, call %d: something has changed\n", tried[i].name, call), 1;
      if (!done && tried[i].run(m) != GPT_OK)
        return printf("%s after call %d: %s\n", tried[i].name, call, gpt_message(m)), 1;
      if (leaves()) return printf("%s leaves a file\n", tried[i].name), 1;
      passed += !done && !needless;
      gpt_destroy(m);
    }
  printf("%d failures\n", passed);
  return 0;
}
