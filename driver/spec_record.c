/* A record is text. It has a line for the program's name, one for its object's key, with -g one for its source's key, and one
   for each file that was asked for:
     name gpt2
     object 0123456789abcdef 0123456789abcdef
     text 0123456789abcdef 0123456789abcdef
     file 0123456789abcdef 0123456789abcdef specs/gpt2.lam
     absent specs/std/gpt.lam
     stamp 1750000000 0 70683400 /usr/lib/x86_64-linux-gnu/libclang-cpp.so.19.1 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/spec_code.h"
#include "ir/environment.h"

static const struct hash no_hash;

struct hash spec_record_key(const struct options *options) {
  const struct hash identity = jit_identity();
  struct hash hash = hash_bytes(no_hash, &identity, sizeof identity);
  const char *const texts[] = {"record 4",
                               options->spec,
                               options->frontend.model,
                               options->frontend.name,
                               options->frontend.standard_library,
                               options->passes.pipeline,
                               options->passes.target->name,
                               options->passes.target->processor,
                               options->march,
                               options->only_verb,
                               options->only,
                               options->batch,
                               options->way,
                               options->weights,
                               environment("CPATH"), /* where Clang looks for headers */
                               environment("C_INCLUDE_PATH")};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) hash = hash_text(hash, texts[i]);
  for (int i = 0; i < options->defines.count; i++) hash = hash_text(hash, options->defines.items[i].source->text);
  for (int i = 0; i < options->dumps.count; i++) hash = hash_text(hash, options->dumps.items[i]);
  const int64_t numbers[] = {options->kind,          has_openmp(options),     options->level,
                             options->debug,         options->emission.bench, options->emission.handover,
                             options->defines.count, options->dumps.count};
  return hash_bytes(hash, numbers, sizeof numbers);
}

static bool stamp_of(const char *path, long long *seconds, long long *nanoseconds, long long *size) {
  struct stat about;
  if (stat(path, &about) != 0) return false;
  *seconds = (long long)about.st_mtim.tv_sec, *nanoseconds = (long long)about.st_mtim.tv_nsec,
  *size = (long long)about.st_size;
  return true;
}

/* Only a regular file can be read both here and by the frontend: a pipe would be empty by then. */
static bool is_regular(const char *path) {
  struct stat about;
  return stat(path, &about) == 0 && S_ISREG(about.st_mode);
}

/* Whether what a line of the record says about a file still holds. */
static bool line_holds(struct options *options, struct cache *cache, const char *line) {
  struct arena *arena = options->arena;
  struct hash hash;
  long long seconds, nanoseconds, size, now[3];
  int at = 0;
  if (sscanf(line, "file %" SCNx64 " %" SCNx64 " %n", &hash.words[0], &hash.words[1], &at) == 2 && at) {
    if (!is_regular(line + at)) return false;
    const struct source *source = source_read(arena, line + at);
    array_push(arena, &options->files, (struct spec_file){arena_strdup(arena, line + at), source});
    if (!source) return false;
    struct hash present = hash_bytes(no_hash, source->text, source->length);
    return memcmp(&hash, &present, sizeof hash) == 0;
  }
  if (sscanf(line, "text %" SCNx64 " %" SCNx64, &hash.words[0], &hash.words[1]) == 2)
    return cache_has_text(cache, hash);
  if (sscanf(line, "stamp %lld %lld %lld %n", &seconds, &nanoseconds, &size, &at) == 3 && at)
    return stamp_of(line + at, &now[0], &now[1], &now[2]) && now[0] == seconds && now[1] == nanoseconds &&
           now[2] == size;
  if (sscanf(line, "absent %n", &at) == 0 && at) {
    array_push(arena, &options->files, (struct spec_file){arena_strdup(arena, line + at), NULL});
    return access(line + at, F_OK) != 0;
  }
  return false;
}

bool spec_record_find(struct options *options, struct cache *cache, struct hash key, const char **name,
                      struct hash *object) {
  size_t size;
  char *text = cache_read(cache, key, &size);
  if (!text) return false;
  bool has_object = false, holds = true;
  *name = NULL;
  char *rest = text;
  for (char *line; holds && (line = strtok_r(rest, "\n", &rest)) != NULL;) {
    if (!strncmp(line, "name ", 5))
      *name = arena_strdup(options->arena, line + 5);
    else if (sscanf(line, "object %" SCNx64 " %" SCNx64, &object->words[0], &object->words[1]) == 2)
      has_object = true;
    else
      holds = line_holds(options, cache, line);
  }
  free(text);
  return holds && has_object && *name;
}

void spec_record_keep(struct options *options, struct cache *cache, struct hash key, const struct program *program,
                      struct hash object, const struct hash *text_key) {
  struct arena *arena = options->arena;
  if (is_stdin(options)) return;
  const char *text = arena_format(arena, "name %s\nobject %016" PRIx64 " %016" PRIx64 "\n", program->name,
                                  object.words[0], object.words[1]);
  if (text_key)
    text = arena_format(arena, "%stext %016" PRIx64 " %016" PRIx64 "\n", text, text_key->words[0], text_key->words[1]);
  for (int i = 0; i < program->files.count; i++) {
    const struct spec_file *file = &program->files.items[i];
    if (strchr(file->path, '\n') || (file->source && !is_regular(file->path))) return;
    struct hash hash = file->source ? hash_bytes(no_hash, file->source->text, file->source->length) : no_hash;
    text = file->source ? arena_format(arena, "%sfile %016" PRIx64 " %016" PRIx64 " %s\n", text, hash.words[0],
                                       hash.words[1], file->path)
                        : arena_format(arena, "%sabsent %s\n", text, file->path);
  }
  long long seconds, nanoseconds, size;
  const char *library = jit_compiler_file();
  if (!library || !stamp_of(library, &seconds, &nanoseconds, &size)) return;
  text = arena_format(arena, "%sstamp %lld %lld %lld %s\n", text, seconds, nanoseconds, size, library);
  cache_write(cache, key, text, strlen(text));
}
