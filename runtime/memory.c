/* Memory, messages, and small things that every other file uses. */
#include "runtime/runtime.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void *lam_allocate(int64_t count, size_t size) {
  enum { ALIGNMENT = 64 };
  if (count < 1) count = 1;
  void *memory = NULL;
  if ((uint64_t)count <= (SIZE_MAX - ALIGNMENT) / (size ? size : 1)) {
    size_t bytes = ((size_t)count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    memory = aligned_alloc(ALIGNMENT, bytes ? bytes : ALIGNMENT);
    if (memory) memset(memory, 0, bytes);
  }
  if (!memory) {
    lam_error("out of memory: %.1f MB more were needed", (double)count * (double)size / 1e6);
    exit(1);
  }
  return memory;
}

void *lam_grow(void *array, int64_t count, int64_t *capacity, size_t size) {
  if (count < *capacity) return array;
  int64_t larger = *capacity ? 2 * *capacity : 16;
  void *moved = lam_allocate(larger, size);
  if (count) memcpy(moved, array, (size_t)count * size);
  free(array);
  *capacity = larger;
  return moved;
}

static void lam_message(const char *kind, const char *format, va_list arguments) {
  fflush(stdout);
  if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr); /* over a live line */
  fprintf(stderr, "%s: ", kind);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
}

bool lam_error(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  lam_message("error", format, arguments);
  va_end(arguments);
  return false;
}

void lam_note(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  lam_message("note", format, arguments);
  va_end(arguments);
}

char *lam_read_file(const char *path, const char *advice, size_t *length) {
  FILE *file = fopen(path, "rb");
  struct stat status;
  char *text = NULL;
  if (!file || fstat(fileno(file), &status) != 0) {
    lam_error("cannot open %s: %s%s", path, strerror(errno), advice);
  } else if (!S_ISREG(status.st_mode)) {
    lam_error("%s is not a file%s", path, advice);
  } else {
    text = lam_allocate((int64_t)status.st_size + 1, 1);
    *length = fread(text, 1, (size_t)status.st_size, file);
    if (*length != (size_t)status.st_size) {
      lam_error("cannot read %s: %s", path, ferror(file) ? strerror(errno) : "it became shorter while it was read");
      free(text);
      text = NULL;
    }
  }
  if (file) fclose(file);
  return text;
}

static int lam_edit_distance(const char *x, const char *y) {
  enum { LONGEST = 40 };
  int row[LONGEST + 1], columns = (int)strlen(y);
  if (columns > LONGEST) return LONGEST;
  for (int j = 0; j <= columns; j++) row[j] = j;
  for (int i = 1; x[i - 1]; i++) {
    int corner = row[0];
    row[0] = i;
    for (int j = 1; j <= columns; j++) {
      int change = corner + (x[i - 1] != y[j - 1]);
      corner = row[j];
      row[j] = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
      if (change < row[j]) row[j] = change;
    }
  }
  return row[columns];
}

const char *lam_closest(const char *word, const void *names, size_t stride) {
  const char *best = NULL;
  int least = (int)strlen(word) / 3 + 1;
  for (const char *at = names;; at += stride) {
    const char *name;
    memcpy(&name, at, sizeof name);
    if (!name) return best;
    int distance = lam_edit_distance(word, name);
    if (distance <= least && (!best || distance < least)) {
      least = distance;
      best = name;
    }
  }
}

double lam_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

size_t lam_type_size(enum lam_type type) {
  return type == LAM_TYPE_REAL ? sizeof(lam_real) : type == LAM_TYPE_INTEGER ? sizeof(int32_t) : sizeof(uint8_t);
}

double lam_get(const void *data, enum lam_type type, int64_t i) {
  if (type == LAM_TYPE_REAL) return (double)((const lam_real *)data)[i];
  return type == LAM_TYPE_INTEGER ? ((const int32_t *)data)[i] : ((const uint8_t *)data)[i];
}

void lam_set(void *data, enum lam_type type, int64_t i, double number) {
  if (type == LAM_TYPE_REAL)
    ((lam_real *)data)[i] = (lam_real)number;
  else if (type == LAM_TYPE_INTEGER)
    ((int32_t *)data)[i] = (int32_t)number;
  else
    ((uint8_t *)data)[i] = number != 0;
}

int64_t lam_count(const int64_t *shape, int rank) {
  int64_t count = 1;
  for (int i = 0; i < rank; i++) count *= shape[i];
  return count;
}

const char *lam_shape_text(char text[LAM_SHAPE_TEXT], const char *axes, const int64_t *shape, int rank) {
  size_t used = (size_t)snprintf(text, LAM_SHAPE_TEXT, "[");
  for (int i = 0; i < rank && used < LAM_SHAPE_TEXT; i++) {
    int length = axes ? (int)strcspn(axes, ",") : 0;
    used += (size_t)snprintf(text + used, LAM_SHAPE_TEXT - used, "%s%.*s%s%lld", i ? ", " : "", length,
                             axes ? axes : "", length ? "=" : "", (long long)shape[i]);
    if (axes) axes += length + (axes[length] == ',');
  }
  if (used < LAM_SHAPE_TEXT) snprintf(text + used, LAM_SHAPE_TEXT - used, "]");
  return text;
}

struct lam_port *lam_find_port(struct lam_port *ports, int count, const char *name) {
  for (int i = 0; i < count; i++)
    if (strcmp(ports[i].name, name) == 0) return &ports[i];
  return NULL;
}

void lam_run_routine(struct lam_program *program, enum lam_routine_name name, int64_t step, int64_t steps,
                     uint32_t seed, const int64_t *sizes) {
  struct lam_routine *routine = &program->routines[name];
  struct lam_port *port = lam_find_port(routine->inputs, routine->input_count, "step");
  if (port) *(lam_real *)port->data = (lam_real)step;
  port = lam_find_port(routine->inputs, routine->input_count, "steps");
  if (port) *(lam_real *)port->data = (lam_real)steps;
  routine->run(program->self, seed, sizes);
}
