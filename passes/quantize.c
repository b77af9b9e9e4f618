/* Weights of few bits, in graphs that do not train. A weight w becomes steps * scale, or
   level(steps) * scale + offset (quantize_steps.c). Nothing here is about memory:
   casts and clamps carry the meaning, layout finds out how few bits hold the steps, and derive computes them once. What the interpreter
   runs is the rewritten graph.

   A scale is multiplied with the sum and not with its terms: x @ w becomes (x @ steps) * scale. With groups, x is multiplied by
   steps * scale. With activations in steps, too, x becomes steps by a scale for each row, and the contraction is one of integers: exact,
   the same bits on every target; with groups it is a sum over groups of (x @ steps) * scale.

   Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference, 2018; a scale for
   each row of activations, found when they are computed: Yao et al., ZeroQuant, 2022. */
#include "passes/quantize.h"

#include "passes/passes.h"
#include "passes/rewrite.h"

struct weights {
  struct quantizer *quantizer;
  struct graph *graph;
  struct rewrite rewrite;
  struct parts **parts; /* by the id of an old value: what it is made of, or NULL */
};

/* --- Views -------------------------------------------------------------------------------------------------------- */

/* The view of the steps or of a scale, which may lack the axes that it is about. NULL where a merge has some of them and not all. */
static struct value *view_of(struct graph *graph, const struct value *old, struct value *x) {
  int present = 0;
  if (old->op != OP_merge && !value_has_axis(x, old->axis)) return x;
  switch ((int)old->op) {
    case OP_rename:
      return build_rename(graph, x, old->axis, old->result);
    case OP_split:
      return build_split(graph, x, old->axis, old->list, old->list_count);
    case OP_slice:
      return build_slice(graph, x, old->axis, old->start, old->result);
    case OP_select:
      return build_select(graph, x, old->axis, old->start);
    case OP_merge:
      for (int i = 0; i < old->list_count; i++) present += value_has_axis(x, old->list[i]);
      if (present == 0) return x;
      return present == old->list_count ? build_merge(graph, x, old->list, old->list_count, old->result) : NULL;
    default:
      return NULL;
  }
}

static bool touches(const struct value *view, const struct axis *axis) {
  return axis && (view->axis == axis || list_has_axis(view->list, view->list_count, axis));
}

/* What a view of a weight is made of, or NULL where it must be made of the weight as reals. */
static struct parts *parts_of_view(struct weights *w, const struct value *old, const struct parts *from) {
  const bool is_plain =
      old->op == OP_rename || old->op == OP_split || old->op == OP_slice || old->op == OP_select || old->op == OP_merge;
  if (!is_plain) return NULL;
  struct parts *parts = arena_new_struct(w->rewrite.scratch, struct parts);
  *parts = *from;
  if (touches(old, from->grouped)) {
    if (old->op != OP_rename) return NULL;
    parts->grouped = old->result;
    return parts;
  }
  parts->steps = view_of(w->graph, old, from->steps);
  if (from->scale) parts->scale = view_of(w->graph, old, from->scale);
  if (from->offset) parts->offset = view_of(w->graph, old, from->offset);
  if (!parts->steps || (from->scale && !parts->scale) || (from->offset && !parts->offset)) return NULL;
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
  if (table->offset && value_has_axis(table->offset, old->axis))
    parts->offset = build_gather(w->graph, table->offset, old->axis, index);
  return parts;
}

/* --- Contractions ------------------------------------------------------------------------------------------------- */

static bool scale_varies(const struct parts *parts, struct axis *const *over, int count) {
  for (int i = 0; parts->scale && i < count; i++)
    if (value_has_axis(parts->scale, over[i])) return true;
  return false;
}

/* What an offset of the weights adds to the contraction: the sum of x, times the offset. */
static struct value *offset_term(struct graph *graph, struct value *x, struct axis *const *over, int count,
                                 const struct parts *weight, bool in_groups) {
  struct value *sum = build_reduce(graph, OP_reduce_sum, x, over, count), *offset = weight->offset;
  if (sum->kind == KIND_INTEGER) sum = build_cast(graph, sum, STORAGE_F32);
  if (!in_groups) return build_binary(graph, OP_mul, sum, offset);
  return build_contract(graph, sum, offset, (struct axis *[]){weight->outer}, 1);
}

/* x @ w with w = level(steps) * scale + offset; NULL where the scale cannot leave the sum. `side`: which operand w is. */
static struct value *contraction(struct weights *w, const struct value *old, int side, const struct parts *weight) {
  struct graph *graph = w->graph;
  struct value *x = rewrite_get(&w->rewrite, old->inputs[1 - side]), *x_scale = NULL;
  struct axis *over[MAX_AXES];
  int count = 0;
  const bool in_groups = weight->grouped && list_has_axis(old->list, old->list_count, weight->grouped);
  for (int i = 0; i < old->list_count; i++) over[count++] = old->list[i];
  if (weight->grouped && !in_groups) return NULL;
  /* Reals are multiplied by steps * scale: one sum over the whole axis, in which kernels find that a group has one scale. */
  if (in_groups && !weight->quantizes_activations) return NULL;
  if (weight->quantizes_activations && weight->scale) x = quantized_activation(graph, x, over, count, &x_scale);
  if (in_groups) {
    for (int i = 0; i < count; i++)
      if (over[i] == weight->grouped) over[i] = weight->inner;
    struct axis *factors[2] = {weight->outer, weight->inner};
    x = build_split(graph, x, weight->grouped, factors, 2);
  }
  if (scale_varies(weight, over, count)) return NULL;
  struct value *levels = x_scale ? weight->steps : quantized_levels(graph, weight);
  struct value *product =
      side ? build_contract(graph, x, levels, over, count) : build_contract(graph, levels, x, over, count);
  if (x_scale) product = build_cast(graph, product, STORAGE_F32);
  if (weight->scale) product = build_binary(graph, OP_mul, product, weight->scale);
  if (in_groups) product = build_reduce(graph, OP_reduce_sum, product, &weight->outer, 1);
  if (weight->offset)
    product = build_binary(graph, OP_add, product, offset_term(graph, x, over, count, weight, in_groups));
  if (x_scale) product = build_binary(graph, OP_mul, product, x_scale);
  return product;
}

/* --- The new graph ------------------------------------------------------------------------------------------------ */

/* The new value of an old one, made of its parts where nothing needed it as reals so far. */
static struct value *value_of(struct weights *w, const struct value *old) {
  struct parts *parts = w->parts[old->id];
  if (parts && !w->rewrite.map[old->id]) rewrite_set(&w->rewrite, old, quantized_wide(w->graph, parts));
  return rewrite_get(&w->rewrite, old);
}

static bool find_parts(struct weights *w, const struct value *old) {
  struct parts **own = &w->parts[old->id];
  const int place = quantized_state(w->quantizer, old);
  const struct quantization *how = place < 0 ? NULL : &w->quantizer->of[place];
  if (how && how->rule)
    *own = quantized_parts(w->graph, w->rewrite.scratch, build_state(w->graph, old->state), how);
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

void pass_quantize(struct quantizer *quantizer, struct graph *graph) {
  const struct program *program = quantizer->program;
  if (graph == program->train || graph == program->accumulate || graph == program->synthesize) return;
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
