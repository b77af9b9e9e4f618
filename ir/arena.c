#define _DEFAULT_SOURCE /* madvise */
#include "ir/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The arena asks for memory in blocks. Each is twice as large as the one before, from FIRST_BLOCK to LARGEST_BLOCK. */
enum { FIRST_BLOCK = 1 << 12, LARGEST_BLOCK = 1 << 22, ALIGNMENT = 16, HUGE_PAGE = 1 << 21 };

struct block {
  struct block *next;
  size_t used, size;
};

struct arena {
  struct block *blocks;
};

void (*before_out_of_memory)(void);

void out_of_memory(size_t bytes) {
  fprintf(stderr, "lamella: error: out of memory: %zu bytes more were needed\n", bytes);
  if (before_out_of_memory) before_out_of_memory();
  _exit(1);
}

/* Zeroed memory. A large piece is asked for in huge pages: with small pages, building a graph of many values spends
   half of its time on page faults. */
static void *take(size_t size) {
  void *memory = NULL;
  if (size < HUGE_PAGE)
    memory = calloc(1, size);
  else if (posix_memalign(&memory, HUGE_PAGE, size) == 0) {
#ifdef MADV_HUGEPAGE
    madvise(memory, size / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE); /* where that is refused, pages are small */
#endif
    memset(memory, 0, size);
  } else {
    memory = NULL;
  }
  if (!memory) out_of_memory(size);
  return memory;
}

struct arena *arena_new(void) { return take(sizeof(struct arena)); }

void arena_free(struct arena *arena) {
  if (!arena) return;
  for (struct block *block = arena->blocks, *next; block; block = next) {
    next = block->next;
    free(block);
  }
  free(arena);
}

static size_t align(size_t size) { return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

void *arena_alloc(struct arena *arena, size_t size) {
  const size_t header = align(sizeof(struct block));
  size = align(size ? size : 1);
  struct block *block = arena->blocks;
  if (!block || block->size - block->used < size) {
    size_t usual = !block ? FIRST_BLOCK : block->size < LARGEST_BLOCK / 2 ? 2 * block->size : LARGEST_BLOCK;
    size_t body = size > usual ? size : usual;
    struct block *fresh = take(header + body);
    fresh->size = body;
    /* A large piece gets a block of its own behind the current one, which stays open for small pieces. */
    if (block && size > usual / 4) {
      fresh->next = block->next;
      block->next = fresh;
    } else {
      fresh->next = block;
      arena->blocks = fresh;
    }
    block = fresh;
  }
  void *memory = (char *)block + header + block->used;
  block->used += size;
  return memory;
}

char *arena_copy(struct arena *arena, const char *text, size_t length) {
  char *copy = arena_alloc(arena, length + 1);
  memcpy(copy, text, length);
  return copy;
}

char *arena_strdup(struct arena *arena, const char *text) { return arena_copy(arena, text, strlen(text)); }

char *arena_vformat(struct arena *arena, const char *format, va_list arguments) {
  enum { USUAL = 256 };
  if (!format) bug("a message without a text"); /* gcc warns that the format may be NULL when it sanitizes */
  /* Most texts are short and are printed where they will stay; what did not fit becomes zero again. */
  struct block *block = arena->blocks;
  const size_t left = block ? block->size - block->used : 0, room = left < USUAL ? left : USUAL;
  char *here = block ? (char *)block + align(sizeof(struct block)) + block->used : NULL;
  va_list again;
  va_copy(again, arguments);
  const int length = vsnprintf(here, room, format, again);
  va_end(again);
  if (length >= 0 && (size_t)length < room) return arena_alloc(arena, (size_t)length + 1);
  if (room) memset(here, 0, room);
  char *text = arena_alloc(arena, (size_t)length + 1);
  vsnprintf(text, (size_t)length + 1, format, arguments);
  return text;
}

char *arena_format(struct arena *arena, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = arena_vformat(arena, format, arguments);
  va_end(arguments);
  return text;
}

void *array_grow(struct arena *arena, void *items, int count, int *capacity, size_t size) {
  if (count < *capacity) return items;
  int larger = *capacity ? 2 * *capacity : size > 32 ? 2 : 8;
  void *moved = arena_alloc(arena, size * (size_t)larger);
  if (count) memcpy(moved, items, size * (size_t)count);
  *capacity = larger;
  return moved;
}

void bug_at(const char *file, int line, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "lamella: internal error at %s:%d: ", file, line);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  abort();
}
