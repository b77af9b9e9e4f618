/* Byte strings kept on disk between commands: compiled objects, precompiled headers, and what a spec compiled to. A cache is a
   convenience: no failure of it is an error, and whatever cannot be read is made again.

   Each entry is a file of its own, named by its key, written beside and renamed, so several processes may use one folder at once. It
   carries its key, its size and a checksum: a truncated or damaged entry is removed and counts as absent. Reading an entry makes
   it young; when the whole grows past its limit the oldest go. Files whose names are none of the cache's are never touched. */
#ifndef CODEGEN_JIT_CACHE_H
#define CODEGEN_JIT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A hash of 128 bits (MurmurHash3 x64; Austin Appleby, public domain): good against accidents, not against enemies, which is why only a
   folder of the user's own is used. */
struct hash {
  uint64_t words[2];
};
struct hash hash_bytes(struct hash seed, const void *bytes, size_t size);
/* A text and its end, so that "ab", "c" differs from "a", "bc". NULL differs from "". */
struct hash hash_text(struct hash seed, const char *text);
struct hash hash_number(struct hash seed, int64_t number);

struct cache;

/* The folder $LAMELLA_CACHE, $XDG_CACHE_HOME/lamella or ~/.cache/lamella, made where it is missing; at most $LAMELLA_CACHE_SIZE bytes
   (1500000, 200M, 2G; default: 512M). NULL where there is none to be had, with the reason in `problem` (a buffer of `size`). */
struct cache *cache_open(char *problem, size_t size);
void cache_close(struct cache *cache);

/* Keeps C text as a file of its own, for debuggers, under a key of the text alone: its path, which lives as long as the cache; NULL
   where it could not be kept. */
const char *cache_keep_text(struct cache *cache, struct hash key, const char *text);
/* Whether such a file is still there; it is young again. */
bool cache_has_text(struct cache *cache, struct hash key);

/* The bytes under a key, a zero after them, to be freed; NULL where there are none. A NULL cache has none. */
char *cache_read(struct cache *cache, struct hash key, size_t *size);
/* False where they could not be kept. */
bool cache_write(struct cache *cache, struct hash key, const void *bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif
