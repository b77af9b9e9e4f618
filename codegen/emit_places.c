/* Where in memory the arrays of states and activations lie, and the functions that lead the pointers of their structs
   to them. */
#include <stdio.h>
#include <string.h>

#include "codegen/c_print.h"
#include "codegen/emit.h"
#include "codegen/emit_text.h"

enum { PLACE_UNIT = 64 /* bytes: arrays begin at a multiple of it */ };

/* An activation's planned place, in bytes. */
static int64_t place_of_member(const struct emitter *emitter, const struct buffer *buffer) {
  const int64_t place = storage_bytes(emitter->target, buffer->storage, buffer->offset);
  if (place % PLACE_UNIT) bug("%s is not aligned", buffer->name);
  return place;
}

/* Copies of a repeat, from number `first` on, that lie evenly apart. */
struct copy_loop {
  int first, count;
  ARRAY(const char *) lines;
};

struct places {
  struct emitter *emitter;
  const char *variable; /* the pointer to the struct */
  struct rows rows; /* of single arrays */
  ARRAY(struct copy_loop) loops;
};

static void add_to_loop(struct places *places, int first, int count, const char *line) {
  struct arena *arena = places->emitter->arena;
  int i = 0;
  while (i < places->loops.count && (places->loops.items[i].first != first || places->loops.items[i].count != count))
    i++;
  if (i == places->loops.count) array_push(arena, &places->loops, ((struct copy_loop){.first = first, .count = count}));
  array_push(arena, &places->loops.items[i].lines, line);
}

/* Adds the pointers of a field, which lie at these bytes; a negative number stands for a copy that is not there. */
static void add_field(struct places *places, const struct field *field, const int64_t *at, int count) {
  struct arena *arena = places->emitter->arena;
  for (int i = 0, end; i < count; i = end) {
    end = i + 1;
    if (at[i] < 0) continue;
    const int64_t step = end < count && at[end] >= 0 ? at[end] - at[i] : 0;
    while (end < count && at[end] >= 0 && at[end] - at[end - 1] == step) end++;
    if (end == i + 2 && end < count && step) end--; /* the second one may begin a longer run */
    const char *index = field->copies ? arena_format(arena, "[%d]", i) : "";
    if (end == i + 1)
      rows_add(&places->rows,
               arena_format(arena, "%s->%s%s = AT(%lld);", places->variable, field->name, index, (long long)at[i]));
    if (end == i + 1) continue;
    const long long base = (long long)(at[i] - step * i), apart = (long long)step;
    const char *offset =
        step ? arena_format(arena, "%lld * i %c %lld", apart, base < 0 ? '-' : '+', base < 0 ? -base : base)
             : arena_format(arena, "%lld", base);
    add_to_loop(places, i, end - i, arena_format(arena, "%s->%s[i] = AT(%s);", places->variable, field->name, offset));
  }
}

static void print_loops(struct places *places, struct text *text) {
  for (int i = 0; i < places->loops.count; i++) {
    const struct copy_loop *loop = &places->loops.items[i];
    const char *head =
        arena_format(text->arena, "for (int64_t i = %d; i < %d; i++)", loop->first, loop->first + loop->count);
    if (loop->lines.count == 1) {
      text_line(text, "%s %s", head, loop->lines.items[0]);
      continue;
    }
    text_open(text, "%s", head);
    for (int j = 0; j < loop->lines.count; j++) text_line(text, "%s", loop->lines.items[j]);
    text_close(text);
  }
}

static bool has_place(const struct emitter *emitter, const struct buffer *member) {
  const struct quantized *quantized = emit_quantized(emitter, member->state);
  return !quantized || !quantized->placeless;
}

/* What the member takes of its struct's memory. */
static int64_t member_bytes(const struct emitter *emitter, const struct buffer *member) {
  if (!has_place(emitter, member)) return 0;
  return (storage_bytes(emitter->target, member->storage, member->count) + PLACE_UNIT - 1) / PLACE_UNIT * PLACE_UNIT;
}

void emit_lead(struct emitter *emitter, struct text *text, const struct owner *owner, int64_t *used) {
  struct arena *arena = emitter->arena;
  struct places places = {.emitter = emitter, .variable = owner->variable, .rows.text = text};
  text_open(text, "static void %s_lead(struct %s *%s, char *at)", owner->tag, owner->tag, owner->variable);
  for (int i = 0; i < owner->fields.count; i++) {
    const struct field *field = owner->fields.items[i];
    const int count = field->copies ? field->copies : 1;
    int64_t *at = arena_new_array(arena, int64_t, count);
    for (int copy = 0; copy < count; copy++) {
      const struct buffer *member = field->copies ? field->members[copy] : field->sample;
      const bool state = owner->kind == OWNER_STATES;
      at[copy] = !member || (state && !has_place(emitter, member)) ? -1
                 : state                                           ? *used
                                                                   : place_of_member(emitter, member);
      if (member && state) *used += member_bytes(emitter, member);
    }
    add_field(&places, field, at, count);
  }
  rows_end(&places.rows);
  print_loops(&places, text);
  text_close(text);
  text_blank(text);
}

/* Whether the struct's pointers lead into NAME_weights. */
static bool is_baked(const struct emitter *emitter, const struct owner *owner) {
  return emitter->options.weights && (owner->role == ROLE_PARAMETER || owner->role == ROLE_AVERAGE ||
                                      owner->role == ROLE_STATISTIC || owner->role == ROLE_QUANTIZED);
}

void emit_states_places(struct emitter *emitter, struct text *text) {
  int64_t used[2] = {0, 0};
  bool first = true;
  for (int i = 0; i < emitter->owners.count; i++) {
    const struct owner *owner = emitter->owners.items[i];
    if (owner->kind != OWNER_STATES) continue;
    if (first)
      text_comment(text, "Lead the pointers to states to their arrays, which lie one after the other from `at` on.");
    first = false;
    emit_lead(emitter, text, owner, &used[is_baked(emitter, owner)]);
  }
}

static int64_t bytes_of_states(const struct emitter *emitter, bool baked) {
  int64_t used = 0;
  for (int i = 0; i < emitter->owners.count; i++) {
    const struct owner *owner = emitter->owners.items[i];
    for (int j = 0; j < owner->buffers.count && owner->kind == OWNER_STATES && is_baked(emitter, owner) == baked; j++)
      used += member_bytes(emitter, owner->buffers.items[j]);
  }
  return used;
}

int64_t emit_state_bytes(struct emitter *emitter) { return bytes_of_states(emitter, false); }

int64_t emit_baked_bytes(const struct emitter *emitter) { return bytes_of_states(emitter, true); }

void emit_place_states(struct emitter *emitter, struct text *text) {
  for (int i = 0; i < emitter->owners.count; i++) {
    const struct owner *owner = emitter->owners.items[i];
    if (owner->kind != OWNER_STATES) continue;
    const char *from = is_baked(emitter, owner)
                           ? arena_format(emitter->arena, "(void *)(uintptr_t)%s_weights", emitter->name)
                           : "states";
    text_line(text, "%s_lead(&m->%s, %s);", owner->tag, owner->member, from);
  }
}

/* Lines of nine words, each put when it is full. */
enum { BLOCK = 4096, BLOCK_BYTES = 8 * BLOCK + PLACE_UNIT };
struct words {
  void *block; /* memory for elements */
  void (*put)(void *context, const char *line);
  void *context;
  char line[TEXT_COLUMNS + 2];
  size_t length;
  int count;
};

static void end_line(struct words *words) {
  if (!words->count) return;
  memcpy(words->line + words->length, "\n", 2);
  words->put(words->context, words->line);
  words->count = 0;
}

/* The bytes, of which there are a multiple of four. */
static void add_words(struct words *words, const unsigned char *bytes, int64_t count) {
  for (int64_t at = 0; at < count; at += 4) {
    uint32_t word = 0;
    for (int byte = 3; byte >= 0; byte--) word = word << 8 | bytes[at + byte];
    if (!words->count++) words->length = 1, words->line[0] = ' ';
    words->length += (size_t)snprintf(words->line + words->length, sizeof words->line - words->length,
                                      word ? " 0x%08x," : " %u,", (unsigned)word);
    if (words->count == 9) end_line(words);
  }
}

/* A state's elements, and zeros up to where the next one lies. */
static void add_state(struct words *words, const struct emitter *emitter, const struct buffer *buffer) {
  const struct baked_weights *weights = emitter->options.weights;
  for (int64_t first = 0; first < buffer->count; first += BLOCK) {
    const int64_t count = buffer->count - first < BLOCK ? buffer->count - first : BLOCK;
    memset(words->block, 0, BLOCK_BYTES);
    weights->elements(weights->context, buffer->state, first, count, words->block);
    add_words(words, words->block,
              (storage_bytes(emitter->target, buffer->storage, count) + PLACE_UNIT - 1) / PLACE_UNIT * PLACE_UNIT);
  }
}

void emit_baked_words(const struct emitter *emitter, void (*put)(void *context, const char *line), void *context) {
  struct words words = {.block = arena_alloc(emitter->arena, BLOCK_BYTES), .put = put, .context = context};
  for (int i = 0; i < emitter->owners.count; i++) {
    const struct owner *owner = emitter->owners.items[i];
    for (int j = 0; j < owner->fields.count && owner->kind == OWNER_STATES && is_baked(emitter, owner); j++) {
      const struct field *field = owner->fields.items[j];
      for (int copy = 0; copy < field->copies || copy == 0; copy++) {
        const struct buffer *member = field->copies ? field->members[copy] : field->sample;
        if (member) add_state(&words, emitter, member);
      }
    }
  }
  end_line(&words);
}

int64_t emit_activation_bytes(const struct emitter *emitter) {
  int64_t bytes = 0;
  for (int i = 0; i < emitter->module->routines.count; i++)
    if (emitter->module->routines.items[i]->activation_bytes > bytes)
      bytes = emitter->module->routines.items[i]->activation_bytes;
  return bytes;
}

void emit_place_activations(struct text *text, const struct owner *owner) {
  text_line(text, "struct %s activations;", owner->tag);
  text_line(text, "const struct %s *a = &activations;", owner->tag);
  text_line(text, "%s_lead(&activations, m->activations);", owner->tag);
}
