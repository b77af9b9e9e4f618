/* Which parameters compare --per-layer proposes to quantise: against all choices of small cases, and as the text of a pipeline. */
#include "driver/compare.h"
#include "tests/unit/check.h"

enum { MOST = 6, RULES = 2 };

static struct layers make_layers(struct arena *arena, int count) {
  struct layers layers = {.base = "", .loss = 2};
  array_push(arena, &layers.rules, "i8");
  array_push(arena, &layers.rules, "i4");
  for (int i = 0; i < count; i++) {
    struct layer layer = {.name = arena_format(arena, "h.%d.weight", i), .bytes = 1000, .chosen = -1};
    layer.trials = arena_new_array(arena, struct trial, RULES);
    array_push(arena, &layers.items, layer);
  }
  return layers;
}

static void set(struct layers *layers, int i, double i8, double i4, double bytes) {
  struct layer *layer = &layers->items.items[i];
  layer->bytes = bytes;
  layer->trials[0] = (struct trial){.loss = layers->loss + i8, .bytes = bytes / 4};
  layer->trials[1] = (struct trial){.loss = layers->loss + i4, .bytes = bytes / 8};
}

static double added(const struct layers *layers, const int *chosen) {
  double sum = 0;
  for (int i = 0; i < layers->items.count; i++)
    if (chosen[i] >= 0) sum += fmax(0, layers->items.items[i].trials[chosen[i]].loss - layers->loss);
  return sum;
}

static double saved(const struct layers *layers, const int *chosen) {
  double sum = 0;
  for (int i = 0; i < layers->items.count; i++)
    if (chosen[i] >= 0) sum += layers->items.items[i].bytes - layers->items.items[i].trials[chosen[i]].bytes;
  return sum;
}

/* The most bytes that any choice saves which adds no more than `allowance`. */
static double most_saved(const struct layers *layers, double allowance) {
  int chosen[MOST], all = 1;
  double most = 0;
  for (int i = 0; i < layers->items.count; i++) all *= RULES + 1;
  for (int k = 0; k < all; k++) {
    for (int i = 0, rest = k; i < layers->items.count; i++, rest /= RULES + 1) chosen[i] = rest % (RULES + 1) - 1;
    if (added(layers, chosen) <= allowance) most = fmax(most, saved(layers, chosen));
  }
  return most;
}

static void check_choice(struct arena *arena) {
  /* What costs nothing is chosen with the fewest bits, even where nothing is allowed; what costs something is not. */
  struct layers layers = make_layers(arena, 3);
  set(&layers, 0, -0.1, 0, 1000);
  set(&layers, 1, 0, 0.2, 1000);
  set(&layers, 2, 0.1, 0.3, 1000);
  CHECK(choose_rules(&layers, 0));
  CHECK(layers.items.items[0].chosen == 1 && layers.items.items[1].chosen == 0 && layers.items.items[2].chosen == -1);
  /* A step from 8 to 4 bits costs the difference of the two. */
  CHECK(choose_rules(&layers, 0.1000001));
  CHECK(layers.items.items[1].chosen == 0 && layers.items.items[2].chosen == 0);
  CHECK(choose_rules(&layers, 0.5000001));
  CHECK(layers.items.items[1].chosen == 1 && layers.items.items[2].chosen == 1);
  /* A rule that could not be followed, or gave no number, is no choice. */
  set(&layers, 0, (double)NAN, (double)INFINITY, 1000);
  CHECK(choose_rules(&layers, 1e9) && layers.items.items[0].chosen == -1);
  set(&layers, 1, 1, 1, 1000), set(&layers, 2, 1, 1, 1000);
  CHECK(!choose_rules(&layers, 0.5));
  /* Greedy choices keep the allowance, and save no less than the best choice but for what one parameter is worth. */
  for (int round = 0; round < 2000; round++) {
    const int count = 1 + (int)(check_random() % MOST);
    layers = make_layers(arena, count);
    int chosen[MOST];
    double largest = 0;
    for (int i = 0; i < count; i++) {
      const double few = (double)(check_random() % 100) / 1000, bytes = 64 * (double)(1 + check_random() % 50);
      set(&layers, i, few - 0.01, few * (2 + (double)(check_random() % 5)), bytes);
      largest = fmax(largest, bytes);
    }
    const double allowance = (double)(check_random() % 300) / 1000;
    choose_rules(&layers, allowance);
    for (int i = 0; i < count; i++) chosen[i] = layers.items.items[i].chosen;
    CHECK(added(&layers, chosen) <= allowance + 1e-12);
    CHECK(saved(&layers, chosen) >= most_saved(&layers, allowance) - largest);
  }
}

static void check_text(struct arena *arena) {
  struct layers layers = make_layers(arena, 3);
  struct layer *items = layers.items.items;
  items[0].chosen = items[1].chosen = items[2].chosen = 1;
  CHECK_STRING(proposal_text(&layers, arena), "quantize(i4, \"h.*.weight\")");
  /* A copy of another rule, or a parameter that is left as it is, cannot have the others' pattern. */
  items[1].chosen = 0;
  CHECK_STRING(proposal_text(&layers, arena),
               "quantize(i8, \"h.1.weight\"), quantize(i4, \"h.0.weight\", \"h.2.weight\")");
  items[1].chosen = -1;
  CHECK_STRING(proposal_text(&layers, arena), "quantize(i4, \"h.0.weight\", \"h.2.weight\")");
  items[1].chosen = 1;
  array_push(arena, &layers.others, "h.0.norm.weight");
  CHECK_STRING(proposal_text(&layers, arena), "quantize(i4, \"h.0.weight\", \"h.1.weight\", \"h.2.weight\")");
  layers.others.items[0] = "h.0.bias";
  layers.base = "-plan";
  items[2].name = "head2.1x.weight";
  CHECK_STRING(proposal_text(&layers, arena), "-plan, quantize(i4, \"h.*.weight\", \"head2.1x.weight\")");
}

int main(void) {
  struct arena *arena = arena_new();
  check_choice(arena);
  check_text(arena);
  arena_free(arena);
  return check_done("proposal");
}
