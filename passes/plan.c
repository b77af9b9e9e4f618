/* The static memory plan. A routine's activations live from the launch that first writes them to the last that reads
   them, and those that never live together share memory. The largest is placed first; each gets the lowest offset that
   is free for its whole life. */
#include <stdlib.h>

#include "passes/schedule.h"

enum { ALIGNMENT = 64 };

struct life {
  struct buffer *buffer;
  int first, last; /* launches, both included */
  int64_t bytes, offset;
  int order;
};

static int larger_first(const void *x, const void *y) {
  const struct life *a = x, *b = y;
  if (a->bytes != b->bytes) return a->bytes < b->bytes ? 1 : -1;
  return a->order - b->order;
}

static bool is_below(const struct life *life, const struct life *other) {
  return life->offset != other->offset ? life->offset < other->offset : life->order < other->order;
}

static int64_t place_life(struct life *life, struct life *const *sorted, int count) {
  int64_t offset = 0;
  for (int i = 0; i < count; i++) {
    const struct life *other = sorted[i];
    if (other->last < life->first || other->first > life->last) continue;
    if (other->offset >= offset + life->bytes) break;
    if (other->offset + other->bytes > offset) offset = other->offset + other->bytes;
  }
  return offset;
}

/* Where a value is stored in place of another, launches are given the memory by the name of the value that lies there
   at that time. */
static void show_names(const struct routine *routine) {
  for (int i = 0; i < routine->launches.count; i++) {
    const struct launch *launch = routine->launches.items[i];
    for (int j = 0; j < launch->arguments.count; j++) {
      struct launch_argument *argument = &launch->arguments.items[j];
      struct buffer *buffer = argument->buffer, *shown = argument->shown;
      if (!buffer || !shown || shown->memory != buffer || buffer->role != BUFFER_ACTIVATION) continue;
      shown->offset = buffer->offset;
      argument->buffer = shown;
    }
  }
}

void plan_routine(struct scheduler *s, struct routine *routine) {
  ARRAY(struct life) lives = {0};
  int launches = routine->launches.count;
  /* Until a buffer gets its offset, the field holds 1 + the number of its life. */
  for (int i = 0; i < launches; i++) {
    const struct launch *launch = routine->launches.items[i];
    for (int j = 0; j < launch->arguments.count; j++) {
      struct buffer *buffer = launch->arguments.items[j].buffer;
      if (!buffer || buffer->role != BUFFER_ACTIVATION) continue;
      int found = buffer->offset > 0 ? (int)buffer->offset - 1 : -1;
      if (found < 0) {
        int64_t bytes =
            (storage_bytes(s->target, buffer->storage, buffer->count) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        const int number = lives.count;
        array_push(s->arena, &lives, (struct life){buffer, i, buffer->dumped ? launches : i, bytes, 0, number});
        buffer->offset = lives.count;
      } else if (lives.items[found].last < i) {
        lives.items[found].last = i;
      }
    }
  }
  if (lives.count) qsort(lives.items, (size_t)lives.count, sizeof *lives.items, larger_first);
  struct life **sorted = arena_new_array(s->arena, struct life *, lives.count);
  int64_t total = 0;
  for (int i = 0; i < lives.count; i++) {
    struct life *life = &lives.items[i];
    life->offset = s->plan ? place_life(life, sorted, i) : total;
    if (life->offset + life->bytes > total) total = life->offset + life->bytes;
    int at = i; /* the lowest first; of equals, the first in order */
    for (; at > 0 && is_below(life, sorted[at - 1]); at--) sorted[at] = sorted[at - 1];
    sorted[at] = life;
    life->buffer->offset = storage_elements(s->target, life->buffer->storage, life->offset);
  }
  routine->activation_bytes = total;
  show_names(routine);
}
