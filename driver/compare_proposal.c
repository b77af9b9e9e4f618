/* Which parameters to quantise, by what each costs alone. That costs add up is an assumption; compare_layers.c evaluates the result. */
#include <math.h>
#include <string.h>

#include "driver/compare.h"

/* What a rule adds to the loss. That a loss became less by chance is no reason to pay for others with it. */
static double cost_of(const struct layers *layers, const struct layer *layer, int rule) {
  const double added = rule < 0 ? 0 : layer->trials[rule].loss - layers->loss;
  return added > 0 ? added : 0;
}

static double bytes_of(const struct layer *layer, int rule) {
  return rule < 0 ? layer->bytes : layer->trials[rule].bytes;
}

bool choose_rules(struct layers *layers, double allowance) {
  bool any = false;
  double spent = 0;
  for (int i = 0; i < layers->items.count; i++) layers->items.items[i].chosen = -1;
  for (;;) {
    struct layer *best = NULL;
    int best_rule = -1;
    double best_cost = 0, best_saved = 0;
    for (int i = 0; i < layers->items.count; i++) {
      struct layer *layer = &layers->items.items[i];
      for (int rule = 0; rule < layers->rules.count; rule++) {
        const double saved = bytes_of(layer, layer->chosen) - bytes_of(layer, rule);
        const double cost = cost_of(layers, layer, rule) - cost_of(layers, layer, layer->chosen);
        if (!isfinite(layer->trials[rule].loss) || saved <= 0 || spent + cost > allowance) continue;
        const double better = best ? cost * best_saved - best_cost * saved : -1;
        if (better > 0 || (better == 0 && saved <= best_saved)) continue;
        best = layer, best_rule = rule, best_cost = cost, best_saved = saved;
      }
    }
    if (!best) return any;
    best->chosen = best_rule;
    spent += best_cost;
    any = true;
  }
}

/* The name with a star in place of each number of its path: "h.*.mlp.c_fc.weight". */
static const char *pattern_of(struct arena *arena, const char *name) {
  char *pattern = arena_alloc(arena, strlen(name) + 1), *end = pattern;
  for (const char *at = name; *at;) {
    const size_t length = strcspn(at, "."), digits = strspn(at, "0123456789");
    if (length && digits == length)
      *end++ = '*';
    else
      memcpy(end, at, length), end += length;
    at += length;
    if (*at) *end++ = *at++;
  }
  *end = 0;
  return pattern;
}

/* Whether all that the pattern matches has the same rule. */
static bool has_one_rule(const struct layers *layers, const char *pattern, int rule) {
  for (int i = 0; i < layers->items.count; i++)
    if (layers->items.items[i].chosen != rule && pattern_matches(pattern, layers->items.items[i].name)) return false;
  for (int i = 0; i < layers->others.count; i++)
    if (pattern_matches(pattern, layers->others.items[i])) return false;
  return true;
}

const char *proposal_text(const struct layers *layers, struct arena *arena) {
  const char *text = layers->base;
  for (int rule = 0; rule < layers->rules.count; rule++) {
    ARRAY(const char *) patterns = {0};
    for (int i = 0; i < layers->items.count; i++) {
      const struct layer *layer = &layers->items.items[i];
      const char *pattern = pattern_of(arena, layer->name);
      bool known = layer->chosen != rule;
      if (!has_one_rule(layers, pattern, rule)) pattern = layer->name;
      for (int k = 0; k < patterns.count && !known; k++) known = !strcmp(patterns.items[k], pattern);
      if (!known) array_push(arena, &patterns, pattern);
    }
    for (int k = 0; k < patterns.count; k++)
      text = k ? arena_format(arena, "%s, \"%s\"", text, patterns.items[k])
               : arena_format(arena, "%s%squantize(%s, \"%s\"", text, *text ? ", " : "", layers->rules.items[rule],
                              patterns.items[k]);
    if (patterns.count) text = arena_format(arena, "%s)", text);
  }
  return text;
}
