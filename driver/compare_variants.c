/* Makes the variants that the command line asks for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "driver/compare.h"

static struct variant *add_variant(struct comparison *comparison, const char *name, const struct options *options) {
  struct variant *variant = arena_new_struct(comparison->arena, struct variant);
  variant->name = name;
  variant->options = *options;
  variant->evaluation.loss = (double)NAN;
  array_push(comparison->arena, &comparison->variants, variant);
  return variant;
}

/* Takes the name in front of "name=fuse,-plan", or NULL; *text is then the rest. */
static const char *name_in_front(struct arena *arena, const char **text) {
  size_t length = strspn(*text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+");
  if (!length || (*text)[length] != '=') return NULL;
  const char *name = arena_copy(arena, *text, length);
  *text += length + 1;
  return name;
}

/* Splits a text into words as a shell would: quotes keep spaces. */
static int split_words(struct arena *arena, const char *text, char **words, int limit) {
  int count = 0;
  while (count < limit) {
    text += strspn(text, " \t\n");
    if (!*text) break;
    char *word = arena_alloc(arena, strlen(text) + 1), *end = word;
    for (char quote = 0; *text && (quote || !strchr(" \t\n", *text)); text++) {
      if (quote && *text == quote)
        quote = 0;
      else if (!quote && (*text == '\'' || *text == '"'))
        quote = *text;
      else
        *end++ = *text;
    }
    *end = 0;
    words[count++] = word;
  }
  return count;
}

/* "NAME: OPTIONS" */
static int add_described(struct comparison *comparison, const char *text) {
  static const struct verb described = {"compare --variant", NULL,
                                        "'NAME: [--passes=LIST] [--target=NAME] [-O0|-O1|-O2|-O3] [-D NAME=VALUE]...'",
                                        "One of the programs to compare", "tpDO"};
  struct arena *arena = comparison->arena;
  const char *colon = strchr(text, ':');
  if (!colon || colon == text) {
    fprintf(stderr, "lamella compare: --variant takes 'NAME: OPTIONS', not '%s'\n", printable(arena, text));
    return EXIT_USAGE;
  }
  const char *name = arena_copy(arena, text, (size_t)(colon - text));
  struct options options = *comparison->options;
  options.defines.items = NULL, options.defines.count = options.defines.capacity = 0;
  options.given.items = NULL, options.given.count = options.given.capacity = 0;
  for (int i = 0; i < comparison->options->defines.count; i++)
    array_push(arena, &options.defines, comparison->options->defines.items[i]);
  char *words[64];
  int count = split_words(arena, colon + 1, words, 64);
  int code = options_parse(&options, &described, count, words);
  if (code >= 0) return code;
  options.verb = comparison->options->verb;
  if (options.passes.pipeline) options.passes.pipeline_name = arena_format(arena, "--variant %s", name);
  add_variant(comparison, name, &options);
  return -1;
}

struct choices choices_of(struct comparison *comparison, char letter) {
  struct choices choices = {0};
  const struct options *options = comparison->options;
  for (int i = 0; i < options->given.count; i++)
    if (options->given.items[i].letter == letter)
      array_push(comparison->arena, &choices.items, options->given.items[i].value);
  return choices;
}

static void add_product(struct comparison *comparison, const struct choices *pipelines, const struct choices *targets,
                        const struct choices *levels) {
  struct arena *arena = comparison->arena;
  int pipeline_count = pipelines->items.count ? pipelines->items.count : 1,
      target_count = targets->items.count ? targets->items.count : 1,
      level_count = levels->items.count ? levels->items.count : 1;
  for (int p = 0; p < pipeline_count; p++)
    for (int t = 0; t < target_count; t++)
      for (int l = 0; l < level_count; l++) {
        struct options options = *comparison->options;
        const char *name = "";
        if (pipelines->items.count) {
          const char *text = pipelines->items.items[p], *own = name_in_front(arena, &text);
          options.passes.pipeline = text;
          name = own ? own : *text ? text : "default";
        }
        if (targets->items.count) {
          choose_target(&options, targets->items.items[t]);
          if (target_count > 1) name = arena_format(arena, "%s%s%s", name, *name ? " " : "", targets->items.items[t]);
        }
        if (levels->items.count) {
          options.level = atoi(levels->items.items[l]);
          if (level_count > 1) name = arena_format(arena, "%s%s-O%d", name, *name ? " " : "", options.level);
        }
        add_variant(comparison, *name ? name : "default", &options);
      }
}

int choose_variants(struct comparison *comparison) {
  struct choices described = choices_of(comparison, 'W'), pipelines = choices_of(comparison, 'p'),
                 targets = choices_of(comparison, 't'), levels = choices_of(comparison, 'O');
  bool product = pipelines.items.count || targets.items.count || levels.items.count;
  if (!product && !described.items.count) {
    /* No variant was named, so these show what some passes gain, or what weights of few bits do. */
    static const char *const training[] = {"default", "-fuse", "-plan", "-parallel", NULL}, *const predicting[] = {
                                                                                                "default",
                                                                                                "quantize(i8)",
                                                                                                "quantize(i4)", NULL};
    for (const char *const *usual = comparison->weights ? predicting : training; *usual; usual++)
      array_push(comparison->arena, &pipelines.items, *usual);
    product = true;
  }
  if (product && !described.items.count) add_product(comparison, &pipelines, &targets, &levels);
  if (product && described.items.count) {
    /* Options given outside of variants hold for all of them. */
    if (pipelines.items.count > 1 || targets.items.count > 1 || levels.items.count > 1) {
      fprintf(stderr,
              "lamella compare: beside --variant, --passes, --target and -O are given at most once, and hold for every "
              "variant\n");
      return EXIT_USAGE;
    }
  }
  for (int i = 0; i < described.items.count; i++) {
    int code = add_described(comparison, described.items.items[i]);
    if (code >= 0) return code;
  }
  if (comparison->variants.count > VARIANTS_MOST) {
    fprintf(stderr, "lamella compare: there are %d variants, and at most %d can be compared\n",
            comparison->variants.count, VARIANTS_MOST);
    return EXIT_USAGE;
  }
  /* Variants with equal names get numbers. */
  for (int i = 0; i < comparison->variants.count; i++)
    for (int j = 0, number = 1; j < i; j++)
      if (!strcmp(comparison->variants.items[j]->name, comparison->variants.items[i]->name))
        comparison->variants.items[i]->name =
            arena_format(comparison->arena, "%s #%d", comparison->variants.items[j]->name, ++number),
        j = -1;
  return -1;
}

int slow_down(struct comparison *comparison) {
  struct choices slow = choices_of(comparison, 'w');
  for (int i = 0; i < slow.items.count; i++) {
    const char *text = slow.items.items[i], *equals = strrchr(text, '=');
    bool found = false;
    for (int j = 0; equals && j < comparison->variants.count; j++) {
      struct variant *variant = comparison->variants.items[j];
      if (strlen(variant->name) != (size_t)(equals - text) ||
          strncmp(variant->name, text, (size_t)(equals - text)) != 0)
        continue;
      variant->slow = strtod(equals + 1, NULL);
      found = true;
    }
    if (found) continue;
    fprintf(stderr, "lamella compare: --slow takes NAME=PERCENT with the name of a variant, not '%s'\n",
            printable(comparison->arena, text));
    return EXIT_USAGE;
  }
  return -1;
}

static bool same_defines(const struct options *x, const struct options *y) {
  if (x->frontend.define_count != y->frontend.define_count) return false;
  for (int i = 0; i < x->frontend.define_count; i++)
    if (strcmp(x->frontend.defines[i].source->text, y->frontend.defines[i].source->text) != 0) return false;
  return true;
}

void assign_oracles(struct comparison *comparison) {
  for (int i = 0; i < comparison->variants.count; i++) {
    struct variant *variant = comparison->variants.items[i];
    for (variant->oracle = 0; variant->oracle < comparison->oracles.count; variant->oracle++)
      if (same_defines(comparison->oracles.items[variant->oracle].options, &variant->options)) break;
    if (variant->oracle < comparison->oracles.count) continue;
    struct oracle oracle = {
        .options = &variant->options,
        .folder = arena_format(comparison->arena, "%s/oracle%d", comparison->folder, variant->oracle)};
    array_push(comparison->arena, &comparison->oracles, oracle);
  }
}
