/* Keeps byte strings on disk between commands: compiled objects, precompiled headers, and records of what a spec
   compiled to. A cache is a convenience: no failure of it is an error, and whatever cannot be read is made again.

   Each entry is a file named by its key. It is written beside its place and renamed, so several processes may use one
   folder at once. It carries its key, its size and a checksum; a truncated or damaged entry is removed and counts as
   absent. Reading an entry makes it young. When the cache grows past its limit, the oldest entries are removed. Files
   whose names are none of the cache's are never touched. */
#ifndef CODEGEN_JIT_CACHE_H
#define CODEGEN_JIT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A hash of 128 bits (MurmurHash3 x64; Austin Appleby, public domain). It protects from accidents and not from enemies,
   so only a folder of the user's own is used. */
struct hash {
  uint64_t words[2];
};
struct hash hash_bytes(struct hash seed, const void *bytes, size_t size);
/* Hashes a text with its end, so that "ab", "c" differs from "a", "bc". NULL differs from "". */
struct hash hash_text(struct hash seed, const char *text);
struct hash hash_number(struct hash seed, int64_t number);

struct cache;

/* Opens the folder $LAMELLA_CACHE, $XDG_CACHE_HOME/lamella or ~/.cache/lamella, which is made if necessary. It will
   hold at most $LAMELLA_CACHE_SIZE bytes (1500000, 200M, 2G; default: 512M). NULL where no folder can be used, with the
   reason in `problem`, a buffer of `size`. */
struct cache *cache_open(char *problem, size_t size);
void cache_close(struct cache *cache);

/* Keeps C text for debuggers as a file of its own, under a key of the text alone. Returns its path, which lives as long
   as the cache, or NULL where it could not be kept. */
const char *cache_keep_text(struct cache *cache, struct hash key, const char *text);
/* Whether such a file still exists; this makes it young. */
bool cache_has_text(struct cache *cache, struct hash key);

/* The bytes under a key, followed by a zero, to be freed. NULL where there are none; a cache that is NULL has none. */
char *cache_read(struct cache *cache, struct hash key, size_t *size);
/* False where the bytes could not be kept. */
bool cache_write(struct cache *cache, struct hash key, const void *bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif
