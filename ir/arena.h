/* Memory that lives as long as one phase: an arena is filled piece by piece and freed whole, so that nothing in the
   compiler has an owner to track. Allocation never returns NULL: running out of memory ends the program with a message. */
#ifndef IR_ARENA_H
#define IR_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena);

/* Zeroed memory of `size` bytes, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);
/* A copy of the first `length` bytes of `text`, ended by a zero. */
char *arena_copy(struct arena *arena, const char *text, size_t length);
char *arena_strdup(struct arena *arena, const char *text);
/* A string built as printf does. */
char *arena_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vformat(struct arena *arena, const char *format, va_list arguments);

/* Growable arrays. `ARRAY(int) numbers = {0}; array_push(arena, &numbers, 3); numbers.items[0]`.
   Growing moves the items, so keep indices and not pointers to items across a push. */
#define ARRAY(type)      \
  struct {               \
    type *items;         \
    int count, capacity; \
  }
#define array_push(arena, array, ...)                                                                                 \
  do {                                                                                                                \
    (array)->items = array_grow((arena), (array)->items, (array)->count, &(array)->capacity, sizeof *(array)->items); \
    (array)->items[(array)->count++] = __VA_ARGS__;                                                                   \
  } while (0)
/* Room for one more item after `count`: the same memory, or a copy twice as large. Used through array_push. */
void *array_grow(struct arena *arena, void *items, int count, int *capacity, size_t size);

#define arena_new_struct(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_new_array(arena, type, count) \
  ((type *)arena_alloc((arena), sizeof(type) * (size_t)((count) > 0 ? (count) : 1)))

/* Says that there is no memory and ends the program at once, whatever other threads do, after `before_out_of_memory` if that is set. */
_Noreturn void out_of_memory(size_t bytes);
extern void (*before_out_of_memory)(void);

/* A compiler error that no user can cause: prints where and what, and aborts. */
_Noreturn void bug_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
#define bug(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)

#endif
