#include "codegen/emit_labels.h"

#include <string.h>

/* For copies of one path, from `low` to before `high`: "h[i + 1].ln_1"; NULL where they have no path in common. */
static const char *regular_path(struct arena *arena, const char *const *paths, const struct counter *counter, int low,
                                int high) {
  const char *first = paths[low], *second = first;
  bool same = true;
  for (int t = low; t < high; t++) same = same && !strcmp(paths[t], first);
  if (same) return first;
  second = paths[low + 1];
  const int64_t number = path_number(first, second), slope = path_number(second, first) - number;
  for (int t = low; t < high; t++) {
    const char *expected =
        path_of_copies(arena, first, second, arena_format(arena, ".%lld", (long long)(number + slope * (t - low))));
    if (!expected || strcmp(paths[t], expected) != 0) return NULL;
  }
  const char *i = emit_in_counter(arena, counter, number - slope * low, slope).piece.text;
  return path_of_copies(arena, first, second, arena_format(arena, "[%s]", i));
}

/* For all copies: "h[i + 1].ln_1, and at last ln_f". */
static const char *rolled_path(struct arena *arena, const char *const *paths, const struct counter *counter) {
  const int copies = counter->copies;
  const char *path = regular_path(arena, paths, counter, 0, copies);
  if (path) return path;
  path = copies > 2 ? regular_path(arena, paths, counter, 0, copies - 1) : NULL;
  const char *other = paths[copies - 1];
  if (path) return *other ? arena_format(arena, "%s, and at last %s", path, other) : path;
  path = copies > 2 ? regular_path(arena, paths, counter, 1, copies) : NULL;
  other = paths[0];
  if (path) return *other ? arena_format(arena, "%s, and at first %s", path, other) : path;
  return other;
}

/* What a launch that was made without parts is known to compute. */
static struct work_part part_at(const struct launch *launch, int number) {
  if (launch->parts.count) return launch->parts.items[number];
  return (struct work_part){.path = launch->origin.path, .function = launch->origin.function};
}

static int count_parts(const struct launch *launch) { return launch->parts.count ? launch->parts.count : 1; }

static const char *part_text(struct arena *arena, const struct work_part *part, const char *path) {
  const char *function = part->function ? part->function : "";
  if (part->is_gradient) return arena_format(arena, "the gradient of %s", path);
  if (path[0] && function[0]) return arena_format(arena, "%s: %s", path, function);
  return path[0] ? path : function;
}

struct label emit_label_of(struct arena *arena, const struct roll *roll, struct launch *const *launches, int position,
                           const struct counter *counter) {
  struct label label = {0};
  const char **paths = arena_new_array(arena, const char *, roll->copies);
  const struct launch *first = roll_launch(roll, launches, position, 0);
  for (int number = 0; number < count_parts(first); number++) {
    const struct work_part part = part_at(first, number);
    bool everywhere = true;
    for (int t = 0; t < roll->copies && everywhere; t++) {
      const struct launch *launch = roll_launch(roll, launches, position, t);
      everywhere = number < count_parts(launch);
      const struct work_part own = part_at(launch, everywhere ? number : 0);
      everywhere = everywhere && own.is_gradient == part.is_gradient;
      paths[t] = own.path ? own.path : "";
    }
    if (!everywhere && number > 0) continue;
    const char *path = rolled_path(arena, paths, counter), *text = part_text(arena, &part, path);
    const bool same = number && label.main && !strcmp(text, label.main);
    const char *gradient = number && !same ? NULL : part.gradient_of;
    if (gradient) array_push(arena, &label.gradients, gradient);
    if (same) continue;
    if (number) {
      array_push(arena, &label.others, text);
      continue;
    }
    label.main = text;
    label.is_top = !first->origin.path || !first->origin.path[0];
    label.is_hidden = part.is_hidden;
  }
  return label;
}

struct list {
  ARRAY(const char *) items;
};

static void list_once(struct arena *arena, struct list *list, const char *text) {
  for (int i = 0; i < list->items.count; i++)
    if (!strcmp(list->items.items[i], text)) return;
  array_push(arena, &list->items, text);
}

/* "x, y and z" */
static const char *list_text(struct arena *arena, const struct list *list) {
  const char *text = "";
  for (int i = 0; i < list->items.count; i++)
    text = arena_format(arena, "%s%s%s", text,
                        !i                          ? ""
                        : i + 1 < list->items.count ? ", "
                                                    : " and ",
                        list->items.items[i]);
  return text;
}

bool emit_label_continues(const struct label *label, const char *main) {
  return !label->main[0] || (main && !strcmp(label->main, main));
}

/* "h[i].ln_2: layernorm; and h[i].x", about the calls from `at` on that mainly compute the same. Returns the number of
   the first call after them. */
static int describe(struct arena *arena, const struct label *labels, int at, int count, const char **text) {
  struct list others = {0}, gradients = {0};
  const char *main = labels[at].main;
  const bool is_top = labels[at].is_top;
  bool is_hidden = false;
  for (; at < count && emit_label_continues(&labels[at], main); at++) {
    for (int i = 0; i < labels[at].others.count; i++) list_once(arena, &others, labels[at].others.items[i]);
    for (int i = 0; i < labels[at].gradients.count; i++) list_once(arena, &gradients, labels[at].gradients.items[i]);
    is_hidden = is_hidden || labels[at].is_hidden;
  }
  *text = main;
  if (is_hidden)
    *text = arena_format(arena, "%s, the gradient%s of %s", *text, gradients.items.count > 1 ? "s" : "",
                         list_text(arena, &gradients));
  if (others.items.count)
    *text = arena_format(arena, "%s%s and %s", *text, is_top ? "" : ";", list_text(arena, &others));
  return at;
}

void emit_comment_call(struct arena *arena, struct text *text, struct told *told, const struct label *labels, int at,
                       int count) {
  if (at < told->calls || emit_label_continues(&labels[at], told->comment)) return;
  const char *comment;
  told->calls = describe(arena, labels, at, count, &comment);
  while (labels[at].is_top && told->calls < count && labels[told->calls].is_top) {
    const char *next;
    at = told->calls;
    told->calls = describe(arena, labels, at, count, &next);
    comment = arena_format(arena, "%s, then %s", comment, next);
  }
  told->comment = labels[at].main;
  text_comment(text, comment);
}
