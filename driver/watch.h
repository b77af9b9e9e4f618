/* The files that `run --watch` watches for changes. */
#ifndef DRIVER_WATCH_H
#define DRIVER_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct watched_file;
struct watch_list {
  struct watched_file *files;
  int count;
};

/* Replaces the list; the paths are copied. */
void watch_list_set(struct watch_list *list, const char *const *paths, int count);
/* A hash of which of the files exist and of what they contain now; never 0. */
uint64_t watch_list_print(struct watch_list *list);
/* Whether a file of the list existed at the last look. */
bool watch_list_has(const struct watch_list *list, const char *path);

#endif
