/* lamella shrink: structured pruning. An axis of the spec gets fewer elements: hidden units, heads. For each layer the elements whose
   weights are largest in sum of magnitudes stay (Li et al., Pruning Filters for Efficient ConvNets, 2017), in their order, and the weights
   are written without the others, for the same spec with the -D that is printed. Which weights of which layer an element belongs to
   follows from the graph of the model (passes/axis_links.h), never from names. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "driver/driver.h"
#include "driver/interpret.h"
#include "passes/axis_links.h"
#include "runtime/runtime.h"

/* --keep=AXIS=COUNT */
struct keep_wish {
  const struct source *source; /* the text, for carets */
  const char *axis;
  int64_t count;
  bool found;
};

/* Linked axes of one layer that get shorter. */
struct unit {
  const struct axis_class *class;
  const struct keep_wish *wish;
  double *score; /* by element: the sum of magnitudes of all weights that belong to it */
  bool *stays; /* by element */
};

struct shrinking {
  struct options *options;
  struct arena *arena;
  struct diagnostics *diagnostics;
  struct program *program;
  const struct graph *graph; /* of the model */
  const struct axis_links *links;
  const struct value **values; /* by the place of a state: a value of the graph that reads it, or NULL */
  const struct lam_weights *weights;
  ARRAY(struct keep_wish) wishes;
  ARRAY(struct unit) units;
  struct lam_tensor *tensors; /* what is written */
  int tensor_count;
};

static bool is_parameter(const struct state *state) { return state->role == ROLE_PARAMETER; }

/* --- What is asked for -------------------------------------------------------------------------------------------- */

static int usage(const struct options *options, const char *message) {
  fprintf(stderr, "lamella shrink: %s\nusage: lamella shrink %s\n", message, options->verb->arguments);
  return EXIT_USAGE;
}

static int read_wishes(struct shrinking *s) {
  struct options *options = s->options;
  for (int i = 0; i < options->given.count; i++) {
    if (options->given.items[i].letter != 'z') continue;
    const char *text = options->given.items[i].value, *equals = strchr(text, '=');
    char *end = NULL;
    const long long count = equals && equals > text ? strtoll(equals + 1, &end, 10) : 0;
    if (!end || *end || end == equals + 1 || count < 1)
      return usage(
          options,
          arena_format(s->arena, "--keep=%s: give an axis and how many of its elements stay, as in --keep=hidden=384",
                       printable(s->arena, text)));
    struct keep_wish wish = {.source = source_from_text(s->arena, "--keep", text),
                             .axis = arena_copy(s->arena, text, (size_t)(equals - text)),
                             .count = count};
    array_push(s->arena, &s->wishes, wish);
  }
  if (!s->wishes.count) return usage(options, "nothing is to shrink; say what stays, as in --keep=hidden=384");
  if (!options->weights) return usage(options, "--weights is missing: the file whose weights are to become fewer");
  if (!options->output) return usage(options, "-o is missing: the file to write");
  return -1;
}

static struct span span_of(const struct keep_wish *wish) {
  return (struct span){wish->source, 0, (int)wish->source->length};
}

/* --- Units -------------------------------------------------------------------------------------------------------- */

static bool add_unit(struct shrinking *s, const struct axis_class *class, struct keep_wish *wish) {
  for (int i = 0; i < s->units.count; i++)
    if (s->units.items[i].class == class) return true;
  if (class->fixed) {
    report_error(s->diagnostics, span_of(wish), "axis %s cannot get shorter: %s", wish->axis, class->fixed);
    report_note(s->diagnostics, class->span, "here");
    return false;
  }
  if (wish->count >= class->extent) {
    report_error(s->diagnostics, span_of(wish), "axis %s has %lld elements; keep fewer of them", wish->axis,
                 (long long)class->extent);
    return false;
  }
  const size_t extent = (size_t)class->extent;
  struct unit unit = {class, wish, arena_new_array(s->arena, double, extent), arena_new_array(s->arena, bool, extent)};
  array_push(s->arena, &s->units, unit);
  wish->found = true;
  return true;
}

/* The classes of all axes of that name which weights have, by themselves or as a part. */
static bool find_units(struct shrinking *s) {
  for (int w = 0; w < s->wishes.count; w++) {
    struct keep_wish *wish = &s->wishes.items[w];
    for (int i = 0; i < s->graph->values.count; i++) {
      const struct value *value = s->graph->values.items[i];
      for (int k = 0; k < value->axis_count; k++)
        if (!strcmp(value->axes[k]->name, wish->axis) && !add_unit(s, axis_class_of(s->links, value, k), wish))
          return false;
    }
    if (wish->found) continue;
    report_error(s->diagnostics, span_of(wish), "no value of model %s has an axis '%s'", s->program->model, wish->axis);
    return false;
  }
  return true;
}

/* --- Weights ------------------------------------------------------------------------------------------------------ */

/* The element of the unit that the place along an axis of the parameter belongs to, or -1. */
static int64_t unit_at(const struct shrinking *s, const struct value *value, int axis, int64_t place,
                       const struct unit *unit) {
  return axis_unit(axis_class_of(s->links, value, axis), place, unit->class);
}

static bool has_unit(const struct shrinking *s, const struct value *value, int axis, const struct unit *unit) {
  return unit_at(s, value, axis, 0, unit) >= 0;
}

static double *read_parameter(const struct shrinking *s, const struct state *state, int64_t *count) {
  const struct lam_tensor tensor = interpret_tensor(s->arena, s->program, state);
  const struct lam_entry *entry = lam_weights_find(s->weights, state->name);
  char message[LAM_MESSAGE];
  *count = lam_count(tensor.shape, tensor.rank);
  if (!entry) {
    lam_error("%s lacks %s", s->weights->path, state->name);
    return NULL;
  }
  if (lam_check_tensor(s->weights, entry, &tensor, message) != LAM_OK) {
    lam_error("%s", message);
    return NULL;
  }
  double *data = malloc((size_t)*count * sizeof *data + 1);
  if (data)
    lam_read_elements(entry, LAM_TYPE_REAL, 0, *count, data);
  else
    lam_error("out of memory");
  return data;
}

static void add_scores(struct shrinking *s, const struct value *value, const double *data, int64_t count) {
  for (int u = 0; u < s->units.count; u++) {
    struct unit *unit = &s->units.items[u];
    int64_t inner = 1;
    for (int k = value->axis_count - 1; k >= 0; inner *= value->axes[k--]->extent) {
      if (!has_unit(s, value, k, unit)) continue;
      const int64_t extent = value->axes[k]->extent;
      for (int64_t place = 0; place < extent; place++) {
        const int64_t element = unit_at(s, value, k, place, unit);
        for (int64_t outer = place * inner; outer < count; outer += extent * inner)
          for (int64_t i = 0; i < inner; i++) unit->score[element] += fabs(data[outer + i]);
      }
    }
  }
}

static bool score_units(struct shrinking *s) {
  for (int i = 0; i < s->program->states.count; i++) {
    if (!is_parameter(s->program->states.items[i])) continue;
    int64_t count;
    double *data = read_parameter(s, s->program->states.items[i], &count);
    if (!data) return false;
    if (s->values[i]) add_scores(s, s->values[i], data, count);
    free(data);
  }
  return true;
}

/* Marks the elements with the highest scores; of equal ones the first. */
static void choose(struct unit *unit) {
  for (int64_t kept = 0; kept < unit->wish->count; kept++) {
    int64_t best = -1;
    for (int64_t i = 0; i < unit->class->extent; i++)
      if (!unit->stays[i] && (best < 0 || unit->score[i] > unit->score[best])) best = i;
    unit->stays[best] = true;
  }
}

static bool place_stays(const struct shrinking *s, const struct value *value, int axis, int64_t place) {
  for (int u = 0; u < s->units.count; u++) {
    const int64_t element = unit_at(s, value, axis, place, &s->units.items[u]);
    if (element >= 0 && !s->units.items[u].stays[element]) return false;
  }
  return true;
}

/* The tensor without what does not stay. */
static bool shrink_parameter(struct shrinking *s, int number) {
  const struct state *state = s->program->states.items[number];
  const struct value *value = s->values[number];
  struct lam_tensor *tensor = &s->tensors[s->tensor_count];
  int64_t count;
  double *data = read_parameter(s, state, &count);
  if (!data) return false;
  *tensor = interpret_tensor(s->arena, s->program, state);
  tensor->type = LAM_TYPE_REAL;
  tensor->data = data;
  s->tensor_count++;
  int64_t inner = 1;
  for (int k = state->axis_count - 1; value && k >= 0; k--) {
    const int64_t extent = state->axes[k]->extent, outer = count / (inner * extent);
    int64_t kept = 0, to = 0;
    for (int64_t place = 0; place < extent; place++) kept += place_stays(s, value, k, place);
    for (int64_t o = 0; o < outer && kept < extent; o++)
      for (int64_t place = 0; place < extent; place++)
        if (place_stays(s, value, k, place)) {
          memmove(data + to, data + (o * extent + place) * inner, (size_t)inner * sizeof *data);
          to += inner;
        }
    tensor->shape[k] = kept;
    count = count / extent * kept;
    inner *= kept;
  }
  return true;
}

/* --- The smaller program ------------------------------------------------------------------------------------------- */

static bool has_define(const struct options *options, const char *name) {
  for (int i = 0; i < options->defines.count; i++)
    if (!strcmp(options->defines.items[i].name, name)) return true;
  return false;
}

static void define(struct options *options, const char *name, int64_t number) {
  struct arena *arena = options->arena;
  const char *text = arena_format(arena, "%s=%lld", name, (long long)number);
  struct define define = {.source = source_from_text(arena, arena_format(arena, "-D %s", text), text),
                          .name = name,
                          .value_begin = (int)strlen(name) + 1};
  array_push(arena, &options->defines, define);
  options->frontend.defines = options->defines.items;
  options->frontend.define_count = options->defines.count;
}

static const struct axis *axis_called(const struct program *program, const char *name) {
  for (int i = 0; i < program->predict->values.count; i++) {
    const struct value *value = program->predict->values.items[i];
    for (int k = 0; k < value->axis_count; k++)
      if (!strcmp(value->axes[k]->name, name)) return value->axes[k];
  }
  return NULL;
}

static const struct state *state_called(const struct program *program, const char *name) {
  for (int i = 0; i < program->states.count; i++)
    if (!strcmp(program->states.items[i]->name, name)) return program->states.items[i];
  return NULL;
}

static bool is_wished(const struct shrinking *s, const char *name) {
  for (int i = 0; i < s->wishes.count; i++)
    if (!strcmp(s->wishes.items[i].axis, name)) return true;
  return false;
}

static bool mentions(const struct ast_expression *expression, const char *const *names, int count) {
  if (!expression) return false;
  for (int i = 0; expression->kind == AST_PATH && i < count; i++)
    if (!strcmp(expression->path.text, names[i])) return true;
  for (int i = 0; i < expression->arguments.count; i++)
    if (mentions(expression->arguments.items[i].value, names, count)) return true;
  return mentions(expression->left, names, count) || mentions(expression->right, names, count);
}

/* Axes that the spec computes of those that get shorter keep their length by a -D of their own: key = embed / head. */
static void keep_others(struct shrinking *s, struct options *options) {
  const struct ast_file *tree = parse_source(s->arena, read_spec(options, s->arena), diagnostics_new(s->arena));
  const char **names = arena_new_array(s->arena, const char *, s->wishes.count + tree->items.count);
  int count = 0;
  for (int i = 0; i < s->wishes.count; i++) names[count++] = s->wishes.items[i].axis;
  for (int i = 0; i < tree->items.count; i++) {
    const struct ast_item *item = tree->items.items[i];
    if (item->kind != ITEM_AXIS || item->axis.kind != AXIS_SIZE || !mentions(item->axis.size, names, count)) continue;
    const char *name = item->axis.name.text;
    const struct axis *axis = axis_called(s->program, name);
    if (!axis || has_define(options, name)) continue;
    names[count++] = name;
    define(options, name, axis->extent);
  }
}

static bool fits(const struct shrinking *s, const struct program *smaller) {
  for (int i = 0; i < s->tensor_count; i++) {
    const struct lam_tensor *tensor = &s->tensors[i];
    const struct state *state = state_called(smaller, tensor->name);
    bool same = state && state->axis_count == tensor->rank;
    for (int k = 0; same && k < tensor->rank; k++) same = state->axes[k]->extent == tensor->shape[k];
    if (!same)
      return lam_error(
          "with these axes the spec has another shape of %s than its weights without the rest: an axis of it "
          "does not follow from those that get shorter",
          tensor->name);
  }
  return true;
}

/* The spec with the new lengths; sets `options` to those that make it. NULL after an error. */
static const struct program *smaller_program(struct shrinking *s, struct options *options) {
  *options = *s->options;
  /* A list that another command's options own is copied before it grows. */
  options->defines.items = NULL, options->defines.count = options->defines.capacity = 0;
  for (int i = 0; i < s->options->defines.count; i++)
    if (!is_wished(s, s->options->defines.items[i].name))
      array_push(s->arena, &options->defines, s->options->defines.items[i]);
  for (int i = 0; i < s->wishes.count; i++) define(options, s->wishes.items[i].axis, s->wishes.items[i].count);
  keep_others(s, options);
  struct diagnostics *diagnostics = diagnostics_new(s->arena);
  const struct program *smaller = read_program(options, s->arena, diagnostics);
  if (!smaller) diagnostics_print(diagnostics, stderr);
  return smaller;
}

/* --- The verb ------------------------------------------------------------------------------------------------------ */

struct writing {
  const struct shrinking *shrinking;
  struct lam_pairs facts;
};

static bool write_weights(FILE *file, const void *context) {
  const struct writing *writing = context;
  return lam_put_weights(file, writing->shrinking->tensors, writing->shrinking->tensor_count, &writing->facts);
}

static void report(const struct shrinking *s, const struct options *smaller) {
  double before = 0, after = 0;
  for (int i = 0; i < s->program->states.count; i++)
    if (is_parameter(s->program->states.items[i]))
      before += (double)axes_count(s->program->states.items[i]->axes, s->program->states.items[i]->axis_count);
  for (int i = 0; i < s->tensor_count; i++) after += (double)lam_count(s->tensors[i].shape, s->tensors[i].rank);
  printf("%s: %.0f of %.0f parameters (%.1f%%)\n", printable(s->arena, s->options->output), after, before,
         100 * after / before);
  for (int w = 0; w < s->wishes.count; w++) {
    const struct keep_wish *wish = &s->wishes.items[w];
    int layers = 0;
    int64_t extent = 0;
    for (int u = 0; u < s->units.count; u++)
      if (s->units.items[u].wish == wish) layers++, extent = s->units.items[u].class->extent;
    printf("  %s: %lld of %lld, chosen in %d place%s\n", wish->axis, (long long)wish->count, (long long)extent, layers,
           layers == 1 ? "" : "s");
  }
  printf("use it with");
  for (int i = 0; i < smaller->defines.count; i++) printf(" -D %s", smaller->defines.items[i].source->text);
  putchar('\n');
}

static bool shrink(struct shrinking *s) {
  struct options smaller;
  s->links = axis_links_new(s->arena, s->graph);
  s->values = arena_new_array(s->arena, const struct value *, s->program->states.count);
  s->tensors = arena_new_array(s->arena, struct lam_tensor, s->program->states.count);
  for (int i = 0; i < s->graph->values.count; i++)
    for (int k = 0; s->graph->values.items[i]->op == OP_state && k < s->program->states.count; k++)
      if (s->program->states.items[k] == s->graph->values.items[i]->state) s->values[k] = s->graph->values.items[i];
  if (!find_units(s)) {
    diagnostics_print(s->diagnostics, stderr);
    return false;
  }
  s->weights = lam_weights_open(s->options->weights, lam_join_parts); /* to the end of the command */
  if (!s->weights || !score_units(s)) return false;
  for (int u = 0; u < s->units.count; u++) choose(&s->units.items[u]);
  for (int i = 0; i < s->program->states.count; i++)
    if (is_parameter(s->program->states.items[i]) && !shrink_parameter(s, i)) return false;
  const struct program *program = smaller_program(s, &smaller);
  if (!program || !fits(s, program)) return false;
  struct writing writing = {.shrinking = s};
  for (int64_t i = 0; i < s->weights->metadata.count; i++) {
    const struct lam_pair *pair = &s->weights->metadata.items[i];
    if (lam_is_fact(pair->key) && !lam_pairs_add(&writing.facts, pair->key, pair->value, pair->length))
      return lam_error("out of memory");
  }
  if (!write_by(s->options->output, write_weights, &writing))
    return lam_error("%s cannot be written: %s", printable(s->arena, s->options->output), strerror(errno));
  report(s, &smaller);
  return true;
}

int verb_shrink(struct options *options) {
  struct shrinking s = {.options = options, .arena = options->arena, .diagnostics = diagnostics_new(options->arena)};
  const int code = read_wishes(&s);
  if (code >= 0) return code;
  s.program = read_program(options, s.arena, s.diagnostics);
  if (!s.program || s.diagnostics->error_count) {
    diagnostics_print(s.diagnostics, stderr);
    return EXIT_WRONG_INPUT;
  }
  pass_inline(s.program->predict);
  s.graph = s.program->predict;
  const bool good = shrink(&s);
  for (int i = 0; i < s.tensor_count; i++) free(s.tensors[i].data);
  return good ? EXIT_DONE : EXIT_WRONG_INPUT;
}
