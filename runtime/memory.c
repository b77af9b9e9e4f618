/* Memory, messages, and small functions that all other files use. */
#include "runtime/runtime.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *lam_shown(char memory[LAM_SHOWN], const char *text) {
  size_t used = 0;
  for (const unsigned char *at = (const unsigned char *)text; *at && used + 8 < LAM_SHOWN; at++) {
    bool later = at[0] == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0; /* control characters beyond ASCII, in UTF-8 */
    if (later || *at < 0x20 || *at == 0x7F)
      used += (size_t)snprintf(memory + used, 8, later ? "\\u%04x" : "\\x%02x", later ? *++at : *at);
    else
      memory[used++] = (char)*at;
  }
  memory[used] = 0;
  return memory;
}

bool lam_message(const char *kind, const char *format, ...) {
  char text[LAM_SHOWN], shown[LAM_SHOWN];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  fflush(stdout);
  fprintf(stderr, "%s%s: %s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", kind,
          lam_shown(shown, text)); /* in place of a live line */
  return false;
}

bool lam_told(int status, const char *where, const char *message) {
  return status == LAM_OK || lam_error("%s: %s", where, message);
}

void *lam_allocate(int64_t count, size_t size) {
  void *memory = calloc(count > 0 ? (size_t)count : 1, size ? size : 1);
  if (memory) return memory;
  lam_error("out of memory: %.1f MB more were needed", (double)count * (double)size / 1e6);
  exit(1);
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

char *lam_join(const char *first, const char *second) {
  char *text = lam_allocate((int64_t)(strlen(first) + strlen(second)) + 1, 1);
  return strcat(strcpy(text, first), second);
}

char *lam_read_file(const char *path, const char *advice, size_t *length) {
  int64_t count = 0, capacity = 0;
  char *text = lam_grow(NULL, 0, &capacity, 1);
  FILE *file = fopen(path, "rb");
  while (file && !feof(file) && !ferror(file)) {
    count += (int64_t)fread(text + count, 1, (size_t)(capacity - count), file);
    text = lam_grow(text, count, &capacity, 1); /* bytes past what was read are zero */
  }
  *length = (size_t)count;
  if (!file || ferror(file)) {
    lam_error("cannot open %s: %s%s", path, strerror(errno), advice);
    free(text);
    text = NULL;
  }
  if (file) fclose(file);
  return text;
}

/* Whether at most `changes` letters changed, added or left out make `name` of `word`. */
static bool lam_is_near(const char *word, const char *name, int changes) {
  while (*word && *word == *name) word++, name++;
  if (!*word && !*name) return true;
  if (!changes--) return false;
  return (*word && *name && lam_is_near(word + 1, name + 1, changes)) ||
         (*word && lam_is_near(word + 1, name, changes)) || (*name && lam_is_near(word, name + 1, changes));
}

const char *lam_closest(const char *word, const void *names, size_t stride) {
  int most = strlen(word) < 6 ? (int)strlen(word) / 3 + 1 : 3;
  for (int changes = 0; changes <= most; changes++) {
    const char *name;
    for (const char *at = names; memcpy(&name, at, sizeof name), name; at += stride)
      if (lam_is_near(word, name, changes)) return name;
  }
  return NULL;
}

const char *lam_environment(const char *name) {
  return getuid() == geteuid() && getgid() == getegid() ? getenv(name) : NULL;
}

double lam_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

const char *lam_port_text(char text[LAM_SHAPE_TEXT], const struct lam_port *port) {
  return lam_shape_text(text, port->axes, port->shape, port->rank);
}

size_t lam_port_bytes(const struct lam_port *port) {
  return (size_t)lam_count(port->shape, port->rank) * lam_type_size(port->type);
}

LAM_API const char *const lam_routine_names[LAM_ROUTINES] = {
    "train", "accumulate", "evaluate", "calibrate", "predict", "prepare", "step", "synthesize", "prune", "derive"};

struct lam_routine *lam_routine_at(struct lam_program *program, int number) {
  if (number < LAM_ROUTINES) return &program->routines[number];
  return number - LAM_ROUTINES < program->prediction_count ? &program->predictions[number - LAM_ROUTINES].routine
                                                           : NULL;
}

const char *lam_routine_name(const struct lam_program *program, int number) {
  return number < LAM_ROUTINES ? lam_routine_names[number] : program->predictions[number - LAM_ROUTINES].name;
}

void lam_place_ports(struct lam_program *program) {
  const struct lam_model *model = program->model;
  struct lam_port *ports = lam_allocate(model->port_count, sizeof *ports);
  for (int i = 0; i < model->port_count; i++) {
    ports[i] = model->ports[i];
    ports[i].data = lam_port_data(model, &ports[i]);
    for (int number = 0; lam_routine_at(program, number); number++) {
      struct lam_routine *routine = lam_routine_at(program, number);
      if (strcmp(lam_routine_name(program, number), ports[i].routine) != 0) continue;
      if (ports[i].is_output && !routine->output_count++) routine->outputs = &ports[i];
      if (!ports[i].is_output && !routine->input_count++) routine->inputs = &ports[i];
    }
  }
}

struct lam_port *lam_find_port(struct lam_port *ports, int count, const char *name) {
  for (int i = 0; i < count; i++)
    if (strcmp(ports[i].name, name) == 0) return &ports[i];
  return NULL;
}

double lam_output(const struct lam_routine *routine, const char *name) {
  const struct lam_port *port = lam_find_port(routine->outputs, routine->output_count, name);
  return port ? (double)*(lam_real *)port->data : (double)NAN;
}

void lam_run_routine(struct lam_program *program, int number, int64_t step, int64_t steps, uint32_t seed,
                     const int64_t *sizes) {
  struct lam_routine *routine = lam_routine_at(program, number);
  const char *name = lam_routine_name(program, number);
  if (program->prune) program->prune(program, number, step, steps, seed);
  const struct lam_model *model = program->model;
  if (routine->reads_derived && model->version && *model->derived_version != *model->version)
    lam_run_routine(program, LAM_DERIVE, 0, 0, seed, NULL);
  void *self = number < LAM_ROUTINES ? NULL : program->predictions[number - LAM_ROUTINES].self;
  for (struct lam_port *port = routine->inputs; port < routine->inputs + routine->input_count; port++) {
    if (!strcmp(port->name, "step")) *(lam_real *)port->data = (lam_real)step;
    if (!strcmp(port->name, "steps")) *(lam_real *)port->data = (lam_real)steps;
  }
  lam_span_begin(name, -1);
  if (routine->run(self ? self : program->self, step, seed, sizes) != 0) {
    lam_error("%s was given what it does not take", name);
    exit(1);
  }
  lam_span_end();
}
