#include "driver/library.h"

#include <string.h>

#include "driver/library_text.h"

const char *library_text(const char *path) {
  static const char folder[] = "std/";
  if (strncmp(path, folder, strlen(folder)) != 0) return NULL;
  for (const struct runtime_text *file = library_texts; file->name; file++)
    if (!strcmp(file->name, path + strlen(folder))) return file->text;
  return NULL;
}
