/* What tests of the runtime share: a folder of their own, files in it, and the output of a program. */
#ifndef TESTS_UNIT_TINY_FILES_H
#define TESTS_UNIT_TINY_FILES_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/runtime.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* Makes a folder of the test's own and works there. */
static inline void tiny_folder(void) {
  static char folder[] = "/tmp/lamella-unit-XXXXXX";
  if (!mkdtemp(folder) || chdir(folder) != 0) {
    perror(folder);
    exit(1);
  }
}

static inline void tiny_write(const char *path, const void *bytes, size_t length) {
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, length, file) != length || fclose(file) != 0) {
    perror(path);
    exit(1);
  }
}

static inline char *tiny_read(const char *path, size_t *length) {
  static char bytes[1 << 20];
  FILE *file = fopen(path, "rb");
  *length = file ? fread(bytes, 1, sizeof bytes - 1, file) : 0;
  if (file) fclose(file);
  bytes[*length] = 0;
  return bytes;
}

static int tiny_saved[2];
/* Sends stdout and stderr to the files out.txt and err.txt until tiny_release. */
static inline void tiny_capture(void) {
  static const char *const paths[] = {"out.txt", "err.txt"};
  fflush(NULL);
  for (int i = 0; i < 2; i++) {
    int file = open(paths[i], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    tiny_saved[i] = dup(i + 1);
    dup2(file, i + 1);
    close(file);
  }
}

static inline void tiny_release(void) {
  fflush(NULL);
  for (int i = 0; i < 2; i++) {
    dup2(tiny_saved[i], i + 1);
    close(tiny_saved[i]);
  }
}

/* Runs a program with a command line such as "train --steps 5"; its output is in out.txt and err.txt. */
static inline int tiny_run(struct lam_program *program, const char *line) {
  static char words[1024];
  char *arguments[64] = {(char *)program->name};
  int count = 1;
  snprintf(words, sizeof words, "%s", line);
  for (char *word = strtok(words, " "); word && count < 63; word = strtok(NULL, " ")) arguments[count++] = word;
  tiny_capture();
  int code = lam_main(program, count, arguments);
  tiny_release();
  return code;
}

/* Whether the last run said this on stdout or stderr. */
static inline bool tiny_said(const char *text) {
  size_t length;
  if (strstr(tiny_read("out.txt", &length), text) || strstr(tiny_read("err.txt", &length), text)) return true;
  printf("  it said: %s", tiny_read("err.txt", &length));
  printf("  %s", tiny_read("out.txt", &length));
  return false;
}

#endif
