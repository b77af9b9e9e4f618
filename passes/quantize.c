/* Weights of few bits, in graphs that do not train. A weight w becomes steps * scale: whole numbers in 8 or 4 bits, and a real for
   all elements that share it. Nothing here is about memory: casts and clamps carry the meaning, layout finds out how few bits hold the
   steps, and derive computes them once. What the interpreter runs is the rewritten graph.

     i8        scale = max |w| / 127, steps = round(w / scale), from -127 to 127
     i4        scale = the w of largest magnitude, with its sign, / -8, steps = round(w / scale), clamped to -8 .. 7: all 16 steps are
               used, where max |w| / 7 would leave one out
     bf16, f16 w rounded; no scale

   A scale is multiplied with the sum and not with its terms: x @ w becomes (x @ steps) * scale. With groups the sum over an axis is a
   sum over groups of (x @ steps) * scale. With activations in steps, too, x becomes steps by a scale for each row, and the contraction
   is one of integers: exact, the same bits on every target.

   Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference, 2018; a scale for
   each row of activations, found when they are computed: Yao et al., ZeroQuant, 2022. */
#include "passes/quantize.h"

#include "passes/passes.h"
#include "passes/rewrite.h"

/* A weight in the new graph, or a view of one. */
struct parts {
  struct value *steps; /* integers; reals of 16 bits where there is no scale */
  struct value *scale; /* lacks the axes along which elements share it; NULL: 1 */
  /* The steps have these two in place of an axis of the value, which `grouped` is; NULL without groups. The scale has the outer one. */
  struct axis *grouped, *outer, *inner;
  bool quantizes_activations;
};

struct weights {
  struct quantizer *quantizer;
  struct graph *graph;
  struct rewrite rewrite;
  struct parts **parts; /* by the id of an old value: what it is made of, or NULL */
};

/* --- Steps and scales --------------------------------------------------------------------------------------------- */

static struct value *number(struct graph *graph, double number) { return build_constant(graph, number); }

/* The one of largest magnitude, with its sign. */
static struct value *extreme(struct graph *graph, struct value *x, struct axis *const *over, int count) {
  struct value *high = build_reduce(graph, OP_reduce_max, x, over, count);
  struct value *low = build_unary(graph, OP_neg, build_reduce(graph, OP_reduce_max, build_unary(graph, OP_neg, x), over, count));
  struct value *is_high = build_binary(graph, OP_le, build_unary(graph, OP_neg, low), high);
  return build_where(graph, is_high, high, low);
}

/* Where all elements are 0, any scale but 0 does. */
static struct value *scale_for(struct graph *graph, struct value *most, double steps) {
  struct value *zero = build_binary(graph, OP_eq, most, number(graph, 0));
  return build_binary(graph, OP_div, build_where(graph, zero, number(graph, 1), most), number(graph, steps));
}

static struct value *steps_of(struct graph *graph, struct value *x, struct value *scale, int low, int high) {
  struct value *steps = build_unary(graph, OP_round, build_binary(graph, OP_div, x, scale));
  steps = build_binary(graph, OP_min, build_integer(graph, high), steps);
  return build_binary(graph, OP_max, build_integer(graph, low), steps);
}

static struct value *split_in_groups(struct graph *graph, struct value *x, struct parts *parts) {
  struct axis *factors[2] = {parts->outer, parts->inner};
  return build_split(graph, x, parts->grouped, factors, 2);
}

static struct parts *parts_of_state(struct weights *w, struct value *weight, const struct quantization *how) {
  struct graph *graph = w->graph;
  struct parts *parts = arena_new_struct(w->rewrite.scratch, struct parts);
  if (how->weights == QUANTIZED_BF16 || how->weights == QUANTIZED_F16) {
    parts->steps = build_cast(graph, weight, how->weights == QUANTIZED_BF16 ? STORAGE_BF16 : STORAGE_F16);
    parts->steps->name = arena_format(graph->arena, "%s/%s", weight->state->name,
                                      storage_names[parts->steps->storage]);
    return parts;
  }
  parts->quantizes_activations = how->quantizes_activations;
  struct axis *over[MAX_RANK];
  int count = 0;
  struct value *x = weight;
  for (int i = 0; i < weight->axis_count; i++)
    if (how->shared >> i & 1) over[count++] = weight->axes[i];
  if (how->group) {
    const struct axis *axis = parts->grouped = over[count - 1];
    parts->outer = axis_new(graph, "group", axis->extent / how->group, axis->span);
    parts->inner = axis_new(graph, axis->name, how->group, axis->span);
    x = split_in_groups(graph, weight, parts);
    over[0] = parts->inner;
    count = 1;
  }
  const bool bytes = how->weights == QUANTIZED_I8;
  struct value *most = bytes ? build_reduce(graph, OP_reduce_max, build_unary(graph, OP_abs, x), over, count)
                             : extreme(graph, x, over, count);
  parts->scale = scale_for(graph, most, bytes ? 127 : -8);
  parts->scale->name = arena_format(graph->arena, "%s/scale", weight->state->name);
  parts->steps = steps_of(graph, x, parts->scale, bytes ? -127 : -8, bytes ? 127 : 7);
  parts->steps->name = arena_format(graph->arena, "%s/%s", weight->state->name, bytes ? "i8" : "i4");
  return parts;
}

/* The weight as reals. */
static struct value *widened(struct weights *w, const struct parts *parts) {
  struct graph *graph = w->graph;
  if (!parts->scale) return parts->steps;
  struct value *wide = build_binary(graph, OP_mul, build_cast(graph, parts->steps, STORAGE_F32), parts->scale);
  if (!parts->grouped) return wide;
  struct axis *factors[2] = {parts->outer, parts->inner};
  return build_merge(graph, wide, factors, 2, parts->grouped);
}

/* --- Views -------------------------------------------------------------------------------------------------------- */

/* The view of the steps or of a scale, which may lack the axes that it is about. NULL where a merge has some of them and not all. */
static struct value *view_of(struct graph *graph, const struct value *old, struct value *x) {
  int present = 0;
  switch ((int)old->op) {
    case OP_rename:
    case OP_split:
    case OP_slice:
    case OP_select:
      if (!value_has_axis(x, old->axis)) return x;
      return value_copy(graph, old, &x);
    case OP_merge:
      for (int i = 0; i < old->list_count; i++) present += value_has_axis(x, old->list[i]);
      if (present == 0) return x;
      return present == old->list_count ? value_copy(graph, old, &x) : NULL;
    default:
      return NULL;
  }
}

static bool touches(const struct value *view, const struct axis *axis) {
  return axis && (view->axis == axis || list_has_axis(view->list, view->list_count, axis));
}

/* What a view of a weight is made of, or NULL where it must be made of the weight as reals. */
static struct parts *parts_of_view(struct weights *w, const struct value *old, const struct parts *from) {
  if (op_facts[old->op].class != CLASS_VIEW || old->op == OP_concat) return NULL;
  struct parts *parts = arena_new_struct(w->rewrite.scratch, struct parts);
  *parts = *from;
  if (touches(old, from->grouped)) {
    if (old->op != OP_rename) return NULL;
    parts->grouped = old->result;
    return parts;
  }
  parts->steps = view_of(w->graph, old, from->steps);
  if (from->scale) parts->scale = view_of(w->graph, old, from->scale);
  if (!parts->steps || (from->scale && !parts->scale)) return NULL;
  if (parts->steps != from->steps) parts->steps->name = NULL;
  if (parts->scale && parts->scale != from->scale) parts->scale->name = NULL;
  return parts;
}

static struct parts *parts_of_lookup(struct weights *w, const struct value *old, const struct parts *table) {
  if (old->axis == table->grouped) return NULL;
  struct parts *parts = arena_new_struct(w->rewrite.scratch, struct parts);
  *parts = *table;
  struct value *index = rewrite_get(&w->rewrite, old->inputs[1]);
  parts->steps = build_gather(w->graph, table->steps, old->axis, index);
  if (table->scale && value_has_axis(table->scale, old->axis))
    parts->scale = build_gather(w->graph, table->scale, old->axis, index);
  return parts;
}

/* --- Contractions ------------------------------------------------------------------------------------------------- */

/* Steps for an operand that is no weight, with a scale for all that is summed over. */
static struct value *activation_steps(struct graph *graph, struct value *x, struct axis *const *over, int count,
                                      struct value **scale) {
  struct value *most = build_reduce(graph, OP_reduce_max, build_unary(graph, OP_abs, x), over, count);
  *scale = scale_for(graph, most, 127);
  return steps_of(graph, x, *scale, -127, 127);
}

static bool scale_varies(const struct parts *parts, struct axis *const *over, int count) {
  for (int i = 0; parts->scale && i < count; i++)
    if (value_has_axis(parts->scale, over[i])) return true;
  return false;
}

/* x @ w with w = steps * scale; NULL where the scale cannot leave the sum. `side`: which operand w is. */
static struct value *contraction(struct weights *w, const struct value *old, int side, const struct parts *weight) {
  struct graph *graph = w->graph;
  struct value *x = rewrite_get(&w->rewrite, old->inputs[1 - side]), *steps = weight->steps, *x_scale = NULL;
  struct axis *over[MAX_AXES];
  int count = 0;
  const bool in_groups = weight->grouped && list_has_axis(old->list, old->list_count, weight->grouped);
  for (int i = 0; i < old->list_count; i++) over[count++] = old->list[i];
  if (weight->grouped && !in_groups) return NULL;
  if (weight->quantizes_activations && weight->scale) x = activation_steps(graph, x, over, count, &x_scale);
  if (in_groups) {
    for (int i = 0; i < count; i++)
      if (over[i] == weight->grouped) over[i] = weight->inner;
    struct axis *factors[2] = {weight->outer, weight->inner};
    x = build_split(graph, x, weight->grouped, factors, 2);
  }
  if (scale_varies(weight, over, count)) return NULL;
  if (steps->kind == KIND_INTEGER && !x_scale) steps = build_cast(graph, steps, STORAGE_F32);
  struct value *product =
      side ? build_contract(graph, x, steps, over, count) : build_contract(graph, steps, x, over, count);
  if (x_scale) product = build_cast(graph, product, STORAGE_F32);
  if (weight->scale) product = build_binary(graph, OP_mul, product, weight->scale);
  if (in_groups) product = build_reduce(graph, OP_reduce_sum, product, &weight->outer, 1);
  if (x_scale) product = build_binary(graph, OP_mul, product, x_scale);
  return product;
}

/* --- The new graph ------------------------------------------------------------------------------------------------ */

/* The new value of an old one, made of its parts where nothing needed it as reals so far. */
static struct value *value_of(struct weights *w, const struct value *old) {
  struct parts *parts = w->parts[old->id];
  if (parts && !w->rewrite.map[old->id]) rewrite_set(&w->rewrite, old, widened(w, parts));
  return rewrite_get(&w->rewrite, old);
}

static bool find_parts(struct weights *w, const struct value *old) {
  struct parts **own = &w->parts[old->id];
  const int place = quantized_state(w->quantizer, old);
  const struct quantization *how = place < 0 ? NULL : &w->quantizer->of[place];
  if (how && how->rule)
    *own = parts_of_state(w, build_state(w->graph, old->state), how);
  else if (old->op == OP_gather && w->parts[old->inputs[0]->id])
    *own = parts_of_lookup(w, old, w->parts[old->inputs[0]->id]);
  else if (old->input_count == 1 && w->parts[old->inputs[0]->id])
    *own = parts_of_view(w, old, w->parts[old->inputs[0]->id]);
  return *own != NULL;
}

static bool find_contraction(struct weights *w, const struct value *old) {
  if (old->op != OP_contract) return false;
  for (int side = 1; side >= 0; side--) {
    const struct parts *weight = w->parts[old->inputs[side]->id];
    if (!weight) continue;
    value_of(w, old->inputs[1 - side]);
    struct value *product = contraction(w, old, side, weight);
    if (!product) continue;
    name_like(product, old);
    rewrite_set(&w->rewrite, old, product);
    return true;
  }
  return false;
}

static void quantize_graph(struct quantizer *quantizer, struct graph *graph) {
  const struct origin origin = graph->origin;
  struct weights w = {.quantizer = quantizer, .graph = graph, .rewrite = rewrite_begin(graph)};
  w.parts = arena_new_array(w.rewrite.scratch, struct parts *, w.rewrite.map_count);
  for (int i = 0; i < w.rewrite.count; i++) {
    struct value *old = w.rewrite.old[i];
    graph->origin = old->origin;
    if (find_parts(&w, old) || find_contraction(&w, old)) continue;
    for (int j = 0; j < old->input_count; j++) value_of(&w, old->inputs[j]);
    rewrite_keep(&w.rewrite, old);
  }
  for (int i = 0; i < graph->outputs.count; i++) value_of(&w, graph->outputs.items[i].value);
  graph->origin = origin;
  rewrite_end(&w.rewrite);
  graph_sweep(graph);
}

bool pass_quantize(struct program *program, const struct pipeline *pipeline, struct diagnostics *diagnostics) {
  struct quantizer quantizer = {.program = program, .pipeline = pipeline, .diagnostics = diagnostics};
  if (!quantize_choose(&quantizer)) return false;
  for (int i = 0; program_graph(program, i); i++)
    if (is_quantized_graph(program, *program_graph(program, i)))
      quantize_graph(&quantizer, *program_graph(program, i));
  return true;
}
