/* Runs of launches as loops: which are found, and how their arguments change from copy to copy. */
#include <string.h>

#include "codegen/roll.h"
#include "tests/unit/check.h"

static struct arena *arena;
static struct module *module;
static struct function *functions[8];

static struct buffer *buffer(const char *name, int copy, enum buffer_role role) {
  for (int i = 0; i < module->buffers.count; i++)
    if (!strcmp(module->buffers.items[i]->name, name) && module->buffers.items[i]->copy == copy)
      return module->buffers.items[i];
  struct buffer *made = arena_new_struct(arena, struct buffer);
  made->name = name;
  made->label = name;
  made->copy = copy;
  made->role = role;
  made->count = 8;
  array_push(arena, &module->buffers, made);
  return made;
}

/* A function of `pointers` pointers, the last of which is written, and one number. */
static void make_functions(void) {
  for (int i = 0; i < 8; i++) {
    functions[i] = function_new(arena, "f");
    function_add_pointer(arena, functions[i], "x", TYPE_REAL, 8, false, NULL);
    function_add_pointer(arena, functions[i], "y", TYPE_REAL, 8, true, NULL);
    function_add_number(arena, functions[i], "n", TYPE_INDEX);
  }
}

struct list {
  ARRAY(struct launch *) launches;
};

static void launch(struct list *list, int function, struct buffer *x, int64_t x_offset, struct buffer *y,
                   int64_t number) {
  struct launch *made = arena_new_struct(arena, struct launch);
  made->function = functions[function];
  array_push(arena, &made->arguments, (struct launch_argument){.buffer = x, .offset = x_offset});
  array_push(arena, &made->arguments, (struct launch_argument){.buffer = y});
  array_push(arena, &made->arguments, (struct launch_argument){.number_kind = NUMBER_CONSTANT, .number = number});
  array_push(arena, &list->launches, made);
}

static struct rolls roll(const struct list *list) {
  return roll_launches(arena, list->launches.items, list->launches.count);
}

/* embedding; 12 times (attention, mlp); head. */
static void test_layers(void) {
  struct list list = {0};
  launch(&list, 0, buffer("tokens", -1, BUFFER_INPUT), 0, buffer("x", -1, BUFFER_ACTIVATION), 0);
  for (int i = 0; i < 12; i++) {
    launch(&list, 1, i ? buffer("h_x", i - 1, BUFFER_ACTIVATION) : buffer("x", -1, BUFFER_ACTIVATION), 0,
           buffer("h_y", i, BUFFER_ACTIVATION), 7);
    launch(&list, 2, buffer("h_y", i, BUFFER_ACTIVATION), 16 * i, buffer("h_x", i, BUFFER_ACTIVATION), 100 + 3 * i);
  }
  launch(&list, 3, buffer("h_x", 11, BUFFER_ACTIVATION), 0, buffer("logits", -1, BUFFER_OUTPUT), 0);
  struct rolls rolls = roll(&list);
  if (!CHECK(rolls.items.count == 3)) return;
  struct roll *layers = &rolls.items.items[1];
  CHECK(layers->first == 1 && layers->period == 2 && layers->copies == 12);
  struct launch *const *launches = list.launches.items;
  struct argument_family x = roll_argument(launches, layers, 0, 0), y = roll_argument(launches, layers, 0, 1),
                         n = roll_argument(launches, layers, 0, 2);
  CHECK(x.form == FORM_EXCEPT_FIRST && x.copies && x.start == -1 && x.slope == 1);
  CHECK(y.form == FORM_AFFINE && y.start == 0 && y.slope == 1);
  CHECK(n.form == FORM_SAME && n.start == 7);
  x = roll_argument(launches, layers, 1, 0), n = roll_argument(launches, layers, 1, 2);
  CHECK(x.form == FORM_AFFINE && x.offset_start == 0 && x.offset_step == 16);
  CHECK(n.form == FORM_AFFINE && n.start == 100 && n.slope == 3);
}

static void test_backward(void) {
  struct list list = {0};
  for (int i = 11; i >= 0; i--)
    launch(&list, 1, buffer("h_gradient", i, BUFFER_ACTIVATION), 0,
           i ? buffer("h_gradient", i - 1, BUFFER_ACTIVATION) : buffer("x_gradient", -1, BUFFER_ACTIVATION), 0);
  struct rolls rolls = roll(&list);
  if (!CHECK(rolls.items.count == 1)) return;
  struct argument_family x = roll_argument(list.launches.items, &rolls.items.items[0], 0, 0),
                         y = roll_argument(list.launches.items, &rolls.items.items[0], 0, 1);
  CHECK(x.form == FORM_AFFINE && x.start == 11 && x.slope == -1);
  CHECK(y.form == FORM_EXCEPT_LAST && y.start == 10 && y.slope == -1);
}

/* A period has one function twice, and a run begins in the middle of what looks like another period. */
static void test_periods(void) {
  struct list list = {0};
  struct buffer *x = buffer("same_x", -1, BUFFER_INPUT), *y = buffer("same_y", -1, BUFFER_OUTPUT);
  for (int i = 0; i < 5; i++) {
    launch(&list, 4, x, 0, y, 1);
    launch(&list, 4, x, 0, y, 1);
    launch(&list, 5, x, 0, y, 1);
  }
  struct rolls rolls = roll(&list);
  CHECK(rolls.items.count == 1 && rolls.items.items[0].period == 3 && rolls.items.items[0].copies == 5);
  struct list none = {0};
  for (int i = 0; i < 6; i++) launch(&none, i, x, 0, y, 1);
  rolls = roll(&none);
  CHECK(rolls.items.count == 6);
  struct list empty = {0};
  CHECK(roll(&empty).items.count == 0);
  /* Sizes cannot change within a loop. */
  struct list sizes = {0};
  for (int i = 0; i < 6; i++) {
    launch(&sizes, 4, x, 0, y, i);
    sizes.launches.items[i]->arguments.items[2].number_kind = NUMBER_SIZE;
  }
  CHECK(roll(&sizes).items.count == 6);
}

/* The rolled loops cover every launch once, in order. */
static void test_cover(void) {
  for (int round = 0; round < 300; round++) {
    struct list list = {0};
    int period = 1 + check_below(4), functions_of[4];
    for (int i = 0; i < 4; i++) functions_of[i] = check_below(3);
    for (int i = 0, count = check_below(60); i < count; i++) {
      int function = check_below(6) ? functions_of[i % period] : check_below(8);
      struct buffer *x =
          check_below(3) ? buffer("h_x", i / period, BUFFER_ACTIVATION) : buffer("x", -1, BUFFER_ACTIVATION);
      launch(&list, function, x, 0, buffer("h_y", i / period, BUFFER_ACTIVATION), check_below(4) ? 1 : i);
    }
    struct rolls rolls = roll(&list);
    int covered = 0;
    for (int i = 0; i < rolls.items.count; i++) {
      const struct roll *r = &rolls.items.items[i];
      CHECK(r->first == covered && r->period > 0 && r->copies > 0);
      for (int j = 0; j < r->period * r->copies; j++)
        CHECK(list.launches.items[covered + j]->function == list.launches.items[covered + j % r->period]->function);
      covered += r->period * r->copies;
    }
    CHECK(covered == list.launches.count);
  }
}

static void test_names(void) {
  CHECK_STRING(path_of_copies(arena, "h.0.attn", "h.1.attn", "[i]"), "h[i].attn");
  CHECK_STRING(path_of_copies(arena, "h.9.attn", "h.10.attn", "[i]"), "h[i].attn");
  CHECK_STRING(path_of_copies(arena, "h.11", "h.10", ""), "h");
  CHECK_STRING(path_of_copies(arena, "h.0.attn", "h.1.mlp", "[i]"), NULL);
  CHECK_STRING(path_of_copies(arena, "h.0.ln_1", "h.0.ln_2", "[i]"), NULL);
  CHECK_STRING(path_of_copies(arena, "x", "x", "[i]"), NULL);
  CHECK(path_number("h.9.attn", "h.10.attn") == 9);
  CHECK(path_number("h.10.attn", "h.9.attn") == 10);
  CHECK(path_number("h.0.attn", "h.1.mlp") == 0);
  /* Activations without numbers in their names get the numbers of the loop. */
  struct list list = {0};
  for (int i = 0; i < 4; i++) {
    struct buffer *packed = buffer(arena_format(arena, "h_w_packed_%d", i + 2), -1, BUFFER_ACTIVATION);
    packed->label = arena_format(arena, "h.%d.w.packed", i);
    launch(&list, 6, buffer("w", i, BUFFER_STATE), 0, packed, 0);
    launch(&list, 7, packed, 0, buffer("z", i, BUFFER_ACTIVATION), 0);
  }
  roll_name_copies(arena, module, list.launches.items, list.launches.count);
  for (int i = 0; i < 4; i++) {
    const struct buffer *packed = list.launches.items[2 * i]->arguments.items[1].buffer;
    CHECK_STRING(packed->name, "h_w_packed");
    CHECK(packed->copy == i);
  }
  struct rolls rolls = roll(&list);
  CHECK(roll_argument(list.launches.items, &rolls.items.items[0], 1, 0).form == FORM_AFFINE);
}

int main(void) {
  arena = arena_new();
  module = arena_new_struct(arena, struct module);
  make_functions();
  test_layers();
  test_backward();
  test_periods();
  test_cover();
  test_names();
  arena_free(arena);
  return check_done("roll");
}
