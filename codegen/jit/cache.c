#include "codegen/jit/cache.h"
#include "ir/environment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- Hashing ------------------------------------------------------------------------------------------------------------ */

static uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

static uint64_t finish(uint64_t x) {
  x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
  x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
  return x ^ x >> 33;
}

struct hash hash_bytes(struct hash seed, const void *bytes, size_t size) {
  const uint64_t c1 = 0x87c37b91114253d5u, c2 = 0x4cf5ad432745937fu;
  uint64_t h1 = seed.words[0], h2 = seed.words[1];
  for (size_t at = 0; at < size; at += 16) {
    uint64_t k[2] = {0, 0};
    size_t rest = size - at;
    memcpy(k, (const char *)bytes + at, rest < 16 ? rest : 16);
    h1 ^= rotate(k[0] * c1, 31) * c2;
    if (rest < 16) {
      h2 ^= rotate(k[1] * c2, 33) * c1;
      break;
    }
    h1 = (rotate(h1, 27) + h2) * 5 + 0x52dce729;
    h2 ^= rotate(k[1] * c2, 33) * c1;
    h2 = (rotate(h2, 31) + h1) * 5 + 0x38495ab5;
  }
  h1 ^= size, h2 ^= size;
  h1 += h2, h2 += h1;
  h1 = finish(h1), h2 = finish(h2);
  h1 += h2, h2 += h1;
  return (struct hash){{h1, h2}};
}

struct hash hash_text(struct hash seed, const char *text) {
  return text ? hash_bytes(seed, text, strlen(text) + 1) : hash_bytes(seed, "none", 4);
}

struct hash hash_number(struct hash seed, int64_t number) { return hash_bytes(seed, &number, sizeof number); }

/* --- The folder --------------------------------------------------------------------------------------------------------- */

enum { FOLDER_SIZE = 3072, PATH_SIZE = 3200, KEY_DIGITS = 32, STALE_SECONDS = 3600 };

struct cache {
  char folder[FOLDER_SIZE], kept[PATH_SIZE + 16];
  int64_t limit;
};

/* Makes `path` and the folders above it. */
static bool make_folders(const char *path) {
  char copy[FOLDER_SIZE];
  snprintf(copy, sizeof copy, "%s", path);
  for (char *at = copy + 1; *at; at++) {
    if (*at != '/') continue;
    *at = 0;
    if (mkdir(copy, 0700) != 0 && errno != EEXIST && errno != EROFS && errno != EACCES) return false;
    *at = '/';
  }
  return mkdir(copy, 0700) == 0 || errno == EEXIST;
}

static bool default_folder(char *path, size_t size) {
  const char *named = environment("LAMELLA_CACHE"), *user = environment("XDG_CACHE_HOME"), *home = environment("HOME");
  int length = 0;
  if (named && *named)
    length = snprintf(path, size, "%s", named);
  else if (user && *user == '/') /* its specification says to ignore relative paths */
    length = snprintf(path, size, "%s/lamella", user);
  else if (home && *home == '/')
    length = snprintf(path, size, "%s/.cache/lamella", home);
  return length > 0 && (size_t)length < size;
}

/* A size such as "1500000", "200M" or "2G" in bytes; 0 for a text that is no size. */
static int64_t read_size(const char *text) {
  static const char units[] = "KMGT";
  char *end;
  double bytes = strtod(text, &end);
  const char *unit = *end ? strchr(units, *end) : NULL;
  for (ptrdiff_t i = 0; unit && i <= unit - units; i++) bytes *= 1024;
  return bytes >= 1 && bytes < 0x1p62 && !end[unit != NULL] ? (int64_t)bytes : 0;
}

struct cache *cache_open(char *problem, size_t size) {
  struct cache *cache = calloc(1, sizeof *cache);
  if (!cache) abort();
  const char *limit = environment("LAMELLA_CACHE_SIZE");
  cache->limit = read_size(limit && *limit ? limit : "512M");
  struct stat about;
  if (!cache->limit)
    snprintf(problem, size, "LAMELLA_CACHE_SIZE is '%s', and should be like 512M", limit);
  else if (!default_folder(cache->folder, FOLDER_SIZE))
    snprintf(problem, size, "there is no home for it");
  else if (!make_folders(cache->folder) || stat(cache->folder, &about) != 0)
    snprintf(problem, size, "%s: %s", cache->folder, strerror(errno));
  else if (!S_ISDIR(about.st_mode))
    snprintf(problem, size, "%s is no folder", cache->folder);
  else if (about.st_uid != geteuid() || about.st_mode & (S_IWGRP | S_IWOTH)) /* others could plant code there */
    snprintf(problem, size, "%s can be written by others", cache->folder);
  else
    return cache;
  free(cache);
  return NULL;
}

void cache_close(struct cache *cache) { free(cache); }

/* --- Entries ------------------------------------------------------------------------------------------------------------ */

struct entry_head {
  char magic[8];
  struct hash key, checksum; /* of the bytes that follow */
  uint64_t size;
};
static const char magic[8] = "lamella1";

static void entry_path(const struct cache *cache, struct hash key, char *path, size_t size) {
  snprintf(path, size, "%s/%016" PRIx64 "%016" PRIx64, cache->folder, key.words[0], key.words[1]);
}

static bool read_whole(int file, void *bytes, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t got = read(file, (char *)bytes + done, size - done);
    if (got == 0 || (got < 0 && errno != EINTR)) return false;
    if (got > 0) done += (size_t)got;
  }
  return true;
}

static bool write_whole(int file, const void *bytes, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t written = write(file, (const char *)bytes + done, size - done);
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) done += (size_t)written;
  }
  return true;
}

/* The bytes of an entry whose head matches the key and the file's size; NULL for a damaged one. */
static char *read_entry(int file, struct hash key, size_t *size) {
  struct entry_head head;
  struct stat about;
  if (!read_whole(file, &head, sizeof head) || memcmp(head.magic, magic, sizeof magic) != 0 ||
      memcmp(&head.key, &key, sizeof key) != 0 || fstat(file, &about) != 0 ||
      head.size != (uint64_t)about.st_size - sizeof head)
    return NULL;
  char *bytes = malloc(head.size + 1);
  if (!bytes) return NULL;
  bytes[head.size] = 0;
  if (read_whole(file, bytes, head.size)) {
    struct hash checksum = hash_bytes(key, bytes, head.size);
    if (memcmp(&checksum, &head.checksum, sizeof checksum) == 0) {
      *size = head.size;
      return bytes;
    }
  }
  free(bytes);
  return NULL;
}

char *cache_read(struct cache *cache, struct hash key, size_t *size) {
  if (!cache) return NULL;
  char path[PATH_SIZE];
  entry_path(cache, key, path, sizeof path);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return NULL;
  char *bytes = read_entry(file, key, size);
  if (bytes)
    futimens(file, NULL); /* makes it young again */
  else
    unlink(path);
  close(file);
  return bytes;
}

struct found {
  char name[64];
  int64_t size;
  struct timespec time;
};

static int older_first(const void *a, const void *b) {
  const struct found *x = a, *y = b;
  if (x->time.tv_sec != y->time.tv_sec) return x->time.tv_sec < y->time.tv_sec ? -1 : 1;
  if (x->time.tv_nsec != y->time.tv_nsec) return x->time.tv_nsec < y->time.tv_nsec ? -1 : 1;
  return strcmp(x->name, y->name);
}

/* The meaning of a name in the folder: an entry or a text, one of these being written, or somebody else's file. */
enum name_kind { NAME_FOREIGN, NAME_ENTRY, NAME_TEMPORARY };
static enum name_kind name_kind(const char *name) {
  if (strspn(name, "0123456789abcdef") != KEY_DIGITS) return NAME_FOREIGN;
  name += KEY_DIGITS;
  if (!strncmp(name, ".c", 2)) name += 2;
  if (!*name) return NAME_ENTRY;
  long process;
  int number, end = 0;
  return sscanf(name, ".%ld.%d.tmp%n", &process, &number, &end) == 2 && end && !name[end] ? NAME_TEMPORARY
                                                                                          : NAME_FOREIGN;
}

/* Removes the oldest entries until a tenth of the limit is free, and temporary files that killed commands left. */
static void evict(struct cache *cache) {
  DIR *folder = opendir(cache->folder);
  if (!folder) return;
  struct found *list = NULL;
  size_t count = 0, capacity = 0;
  int64_t total = 0;
  time_t now = time(NULL);
  for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    struct stat about;
    enum name_kind kind = name_kind(entry->d_name);
    if (kind == NAME_FOREIGN || strlen(entry->d_name) >= sizeof list->name ||
        fstatat(dirfd(folder), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(about.st_mode))
      continue;
    if (kind == NAME_TEMPORARY) {
      if (now - about.st_mtime > STALE_SECONDS) unlinkat(dirfd(folder), entry->d_name, 0);
      continue;
    }
    if (count == capacity) {
      capacity = capacity ? capacity * 2 : 64;
      struct found *more = realloc(list, capacity * sizeof *list);
      if (!more) break;
      list = more;
    }
    list[count] = (struct found){.size = about.st_size, .time = about.st_mtim};
    strcpy(list[count++].name, entry->d_name);
    total += about.st_size;
  }
  if (total > cache->limit) {
    qsort(list, count, sizeof *list, older_first);
    for (size_t i = 0; i < count && total > cache->limit - cache->limit / 10; i++)
      if (unlinkat(dirfd(folder), list[i].name, 0) == 0 || errno == ENOENT) total -= list[i].size;
  }
  free(list);
  closedir(folder);
}

/* Writes two pieces to a file beside `path` and renames it. It is not synced: the checksum reveals what a crash of the
   machine leaves half written. */
static bool write_entry(struct cache *cache, const char *path, const void *head, size_t head_size, const void *bytes,
                        size_t size) {
  static atomic_int number;
  char beside[PATH_SIZE + 64];
  int file = -1;
  /* a killed process with the same id may have left a file of that name */
  for (int tries = 0; file < 0 && (!tries || errno == EEXIST) && tries < 100; tries++) {
    snprintf(beside, sizeof beside, "%s.%ld.%d.tmp", path, (long)getpid(), atomic_fetch_add(&number, 1));
    file = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  }
  if (file < 0) return false;
  bool done = write_whole(file, head, head_size) && write_whole(file, bytes, size);
  if (close(file) != 0) done = false;
  if (done && rename(beside, path) != 0) done = false;
  if (!done) unlink(beside);
  if (done) evict(cache);
  return done;
}

bool cache_write(struct cache *cache, struct hash key, const void *bytes, size_t size) {
  if (!cache || (int64_t)size > cache->limit / 2) return false;
  char path[PATH_SIZE];
  entry_path(cache, key, path, sizeof path);
  struct entry_head head = {.key = key, .checksum = hash_bytes(key, bytes, size), .size = size};
  memcpy(head.magic, magic, sizeof magic);
  return write_entry(cache, path, &head, sizeof head, bytes, size);
}

static const char *text_path(struct cache *cache, struct hash key) {
  char path[PATH_SIZE];
  entry_path(cache, key, path, sizeof path);
  snprintf(cache->kept, sizeof cache->kept, "%s.c", path);
  return cache->kept;
}

const char *cache_keep_text(struct cache *cache, struct hash key, const char *text) {
  if (!cache) return NULL;
  const char *path = text_path(cache, key);
  return write_entry(cache, path, NULL, 0, text, strlen(text)) ? path : NULL;
}

bool cache_has_text(struct cache *cache, struct hash key) {
  return utimensat(AT_FDCWD, text_path(cache, key), NULL, 0) == 0;
}
