/* Which caches quantize_cache changes, and how: rules of the pipeline meet what the graphs do with caches.

   A rule with patterns is for the caches that they match, one without for all that contractions read. Elements of a row share a scale
   along the axes that contractions sum over, so that it can be multiplied with the sums: keys have a scale for each position and head.
   Values are summed over positions alone; elements of theirs share a scale along the axes that the other operand lacks, which gives them one
   for each position and head, too. All graphs of the model are looked at, and those that the command leaves out: a cache is the same to
   every part of a program. */
#include <string.h>

#include "passes/quantize_cache.h"
#include "passes/view_origin.h"

/* What all graphs do with a cache, in own axes of it. */
struct uses {
  unsigned summed, lacked; /* by the other operand of some contraction */
  bool is_multiplied;
};

const struct cache *cache_of(const struct cache_quantizer *quantizer, const struct value *value) {
  const char *name = value->op == OP_update ? value->state->name : value->op == OP_rename ? value->cached : NULL;
  for (int i = 0; name && i < quantizer->caches.count; i++)
    if (!strcmp(quantizer->caches.items[i].state->name, name)) return &quantizer->caches.items[i];
  return NULL;
}

int cache_axes(const struct value *value, struct axis **axes) {
  const struct axis *rows = value->op == OP_update ? value->axis : value->result;
  int count = 0;
  for (int i = 0; i < value->axis_count; i++)
    if (!is_batch(value->axes[i]) && value->axes[i] != rows) axes[count++] = value->axes[i];
  return count;
}

/* --- Uses --------------------------------------------------------------------------------------------------------- */

static void look_at_use(const struct value *user, const struct origin_of *origins, struct uses *uses) {
  for (int side = 0; user->op == OP_contract && side < 2; side++) {
    const struct value *x = user->inputs[side], *other = user->inputs[1 - side];
    const struct origin_of *origin = &origins[x->id];
    if (!origin->source) continue;
    struct uses *own = &uses[origin->source - 1];
    own->is_multiplied = true;
    for (int i = 0; i < x->axis_count; i++) {
      if (list_has_axis(user->list, user->list_count, x->axes[i])) own->summed |= origin->axes[i];
      if (!value_has_axis(other, x->axes[i])) own->lacked |= origin->axes[i];
    }
  }
}

static struct origin_of origin_of_cache(const struct cache_quantizer *quantizer, const struct value *value) {
  const struct cache *cache = cache_of(quantizer, value);
  struct origin_of own = {0};
  if (!cache) return own;
  struct axis *axes[MAX_AXES];
  const int count = cache_axes(value, axes);
  own.source = 1 + (int)(cache - quantizer->caches.items);
  for (int i = 0; i < value->axis_count; i++)
    for (int j = 0; j < count; j++)
      if (value->axes[i] == axes[j]) own.axes[i] = 1u << j;
  return own;
}

/* `given` are what the graph's inputs are made of, where it is the body of a function; or NULL. */
static void look_at_graph(const struct cache_quantizer *quantizer, const struct graph *graph,
                          const struct origin_of *given, struct uses *uses) {
  struct arena *scratch = arena_new();
  struct origin_of *origins = arena_new_array(scratch, struct origin_of, graph->next_value);
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    look_at_use(value, origins, uses);
    origins[value->id] = given && value->op == OP_input ? given[value->id] : origin_of_cache(quantizer, value);
    if (!origins[value->id].source) origins[value->id] = origin_of_view(value, origins);
    if (value->op != OP_call) continue;
    const struct region *callee = value->callee;
    struct origin_of *inputs = arena_new_array(scratch, struct origin_of, callee->body->next_value);
    for (int j = 0; j < value->input_count; j++) inputs[callee->inputs.items[j]->id] = origins[value->inputs[j]->id];
    look_at_graph(quantizer, callee->body, inputs, uses);
  }
  arena_free(scratch);
}

/* --- Rules -------------------------------------------------------------------------------------------------------- */

static const struct graph *step_of(const struct program *program) {
  for (int i = 0; !program->step && i < program->left_out.count; i++)
    if (program->left_out.items[i].number == ROUTINE_step) return program->left_out.items[i].graph;
  return program->step;
}

static void find_caches(struct cache_quantizer *quantizer) {
  const struct graph *step = step_of(quantizer->program);
  for (int i = 0; step && i < step->values.count; i++) {
    const struct value *value = step->values.items[i];
    if (value->op != OP_update || value->state->role != ROLE_CACHE || value->kind != KIND_REAL) continue;
    struct cache cache = {.state = value->state, .rotated = -1};
    array_push(quantizer->program->arena, &quantizer->caches, cache);
  }
}

static bool check_pattern(const struct cache_quantizer *quantizer, const struct pass_pattern *pattern,
                          struct diagnostics *diagnostics) {
  for (int i = 0; i < quantizer->caches.count; i++)
    if (pattern_matches(pattern->text, quantizer->caches.items[i].state->name)) return true;
  report_error(diagnostics, pattern->span,
               "no cache of reals is called so; the program's verb info lists caches with --all, such as %s",
               quantizer->caches.items[0].state->name);
  return false;
}

static bool check_rule(const struct cache_quantizer *quantizer, const struct pass_rule *rule, const struct uses *uses,
                       struct diagnostics *diagnostics) {
  bool good = true, found = false;
  if (!quantizer->caches.count) {
    report_error(diagnostics, rule->span,
                 step_of(quantizer->program)
                     ? "nothing is cached: no real number in this model goes through `cached`"
                     : "nothing is cached: a cache is what a step of generation keeps, and this spec has no generate");
    return false;
  }
  for (int i = 0; i < rule->patterns.count; i++)
    good = check_pattern(quantizer, &rule->patterns.items[i], diagnostics) && good;
  for (int i = 0; i < quantizer->caches.count; i++) found = found || uses[i].is_multiplied;
  if (rule->patterns.count || found) return good;
  report_error(diagnostics, rule->span,
               "no contraction reads what this model caches; patterns in quotes name caches, such as \"%s\"",
               quantizer->caches.items[0].state->name);
  return false;
}

static int last_axis(unsigned axes) {
  int last = -1;
  for (int i = 0; i < MAX_AXES; i++)
    if (axes >> i & 1) last = i;
  return last;
}

static bool choose(const struct pipeline *pipeline, struct cache *cache, const struct uses *uses,
                   struct diagnostics *diagnostics) {
  const struct state *state = cache->state;
  struct axis *const *own = state->axes + 2;
  const int count = state->axis_count - 2;
  cache->rule = pipeline_rule(pipeline, PASS_quantize_cache, state->name, uses->is_multiplied && count > 0);
  if (!cache->rule) return true;
  if (count == 0) {
    report_error(diagnostics, cache->rule->span,
                 "cache %s has a single number for each position: a scale for it would be larger than the number",
                 state->name);
    return false;
  }
  const double *parameters = cache->rule->parameters;
  cache->how.weights = parameters[PARAMETER_quantize_cache_steps] != 0 ? QUANTIZED_I4 : QUANTIZED_I8;
  cache->how.shared = uses->summed ? uses->summed : uses->lacked;
  if (!cache->how.shared) cache->how.shared = 1u << (count - 1);
  const int last = last_axis(cache->how.shared), rotate = (int)parameters[PARAMETER_quantize_cache_rotate];
  if (rotate > 0 && rotation_size(own[last]) == 1) {
    report_error(diagnostics, cache->rule->span,
                 "a rotation takes elements by powers of two, and axis %s of cache %s has %lld; leave out rotate = 1",
                 own[last]->name, state->name, (long long)own[last]->extent);
    return false;
  }
  if ((rotate > 0 || (rotate < 0 && cache->how.weights == QUANTIZED_I4)) && rotation_size(own[last]) > 1)
    cache->rotated = last;
  return true;
}

struct cache_quantizer *pass_quantize_cache_choose(struct program *program, const struct pipeline *pipeline,
                                                   struct diagnostics *diagnostics) {
  struct cache_quantizer *quantizer = arena_new_struct(program->arena, struct cache_quantizer);
  quantizer->program = program;
  find_caches(quantizer);
  struct uses *uses = arena_new_array(program->arena, struct uses, quantizer->caches.count + 1);
  for (int i = 0; program_graph(program, i); i++)
    if (program_uses_model(program, *program_graph(program, i)))
      look_at_graph(quantizer, *program_graph(program, i), NULL, uses);
  for (int i = 0; i < program->left_out.count; i++)
    look_at_graph(quantizer, program->left_out.items[i].graph, NULL, uses);
  bool good = true;
  for (int i = 0; i < pipeline->rules.count; i++)
    if (pipeline->rules.items[i].pass == PASS_quantize_cache)
      good = check_rule(quantizer, &pipeline->rules.items[i], uses, diagnostics) && good;
  for (int i = 0; i < quantizer->caches.count; i++)
    good = choose(pipeline, &quantizer->caches.items[i], &uses[i], diagnostics) && good;
  return good ? quantizer : NULL;
}
