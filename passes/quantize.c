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

/* --- Views -------------------------------------------------------------------------------------------------------- */

static bool touches(const struct value *view, const struct axis *axis) {
  return axis && (view->axis == axis || list_has_axis(view->list, view->list_count, axis));
}

/* What a view of a weight is made of, or NULL where it must be made of the weight as reals. */
static struct parts *parts_of_view(struct parted *p, const struct value *old, const struct parts *from) {
  const bool is_plain =
      old->op == OP_rename || old->op == OP_split || old->op == OP_slice || old->op == OP_select || old->op == OP_merge;
  if (!is_plain) return NULL;
  struct parts *parts = arena_new_struct(p->rewrite.scratch, struct parts);
  *parts = *from;
  if (from->inverse) parts->inverse = view_again(p->graph, old, from->inverse);
  if (from->inverse && !parts->inverse) return NULL;
  if (touches(old, from->grouped)) {
    if (old->op != OP_rename) return NULL;
    parts->grouped = old->result;
    return parts;
  }
  if (touches(old, from->rotated)) {
    if (old->op != OP_rename) return NULL;
    parts->rotated = old->result;
  }
  parts->steps = view_again(p->graph, old, from->steps);
  if (from->scale) parts->scale = view_again(p->graph, old, from->scale);
  if (from->offset) parts->offset = view_again(p->graph, old, from->offset);
  if (!parts->steps || (from->scale && !parts->scale) || (from->offset && !parts->offset)) return NULL;
  return parts;
}

static struct parts *parts_of_lookup(struct parted *p, const struct value *old, const struct parts *table) {
  if (old->axis == table->grouped || old->axis == table->rotated) return NULL;
  struct parts *parts = arena_new_struct(p->rewrite.scratch, struct parts);
  *parts = *table;
  struct value *index = rewrite_get(&p->rewrite, old->inputs[1]);
  parts->steps = build_gather(p->graph, table->steps, old->axis, index);
  if (table->scale && value_has_axis(table->scale, old->axis))
    parts->scale = build_gather(p->graph, table->scale, old->axis, index);
  if (table->inverse && value_has_axis(table->inverse, old->axis))
    parts->inverse = build_gather(p->graph, table->inverse, old->axis, index);
  if (table->offset && value_has_axis(table->offset, old->axis))
    parts->offset = build_gather(p->graph, table->offset, old->axis, index);
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

/* x @ w with w = level(steps) * scale + offset; NULL where w must be made whole. `side`: which operand w is. A scale that varies along the
   sum, as that of cached values does along positions, is multiplied with x. */
static struct value *contraction(struct parted *p, const struct value *old, int side, const struct parts *weight) {
  struct graph *graph = p->graph;
  struct value *x = rewrite_get(&p->rewrite, old->inputs[1 - side]), *x_scale = NULL;
  struct axis *over[MAX_AXES];
  int count = 0;
  const bool in_groups = weight->grouped && list_has_axis(old->list, old->list_count, weight->grouped);
  for (int i = 0; i < old->list_count; i++) over[count++] = old->list[i];
  if (weight->grouped && !in_groups) return NULL;
  const bool sums_rotated = weight->rotated && list_has_axis(over, count, weight->rotated);
  if (weight->rotated && !sums_rotated && value_has_axis(x, weight->rotated)) return NULL;
  if (sums_rotated) x = rotated_value(p, x, weight->rotated);
  if (weight->inverse && scale_varies(weight, over, count)) return NULL;
  if (weight->inverse)
    x = quantized_divided(graph, x, weight->inverse, p->folds && p->folds[old->inputs[1 - side]->id]);
  /* Reals are multiplied by steps * scale: one sum over the whole axis, in which kernels find that a group has one scale. */
  if (in_groups && !weight->quantizes_activations && !weight->inverse) return NULL;
  if (weight->quantizes_activations && weight->scale) x = quantized_activation(graph, x, over, count, &x_scale);
  if (in_groups) {
    for (int i = 0; i < count; i++)
      if (over[i] == weight->grouped) over[i] = weight->inner;
    struct axis *factors[2] = {weight->outer, weight->inner};
    x = build_split(graph, x, weight->grouped, factors, 2);
  }
  const bool scales_x = scale_varies(weight, over, count);
  if (scales_x && (x_scale || weight->offset)) return NULL;
  if (scales_x) x = build_binary(graph, OP_mul, x, weight->scale);
  struct value *levels = x_scale ? weight->steps : quantized_levels(graph, weight);
  struct value *product =
      side ? build_contract(graph, x, levels, over, count) : build_contract(graph, levels, x, over, count);
  if (x_scale) product = build_cast(graph, product, STORAGE_F32);
  if (weight->scale && !scales_x) product = build_binary(graph, OP_mul, product, weight->scale);
  if (in_groups) product = build_reduce(graph, OP_reduce_sum, product, &weight->outer, 1);
  if (weight->offset)
    product = build_binary(graph, OP_add, product, offset_term(graph, x, over, count, weight, in_groups));
  if (x_scale) product = build_binary(graph, OP_mul, product, x_scale);
  if (weight->rotated && !sums_rotated) product = rotated_value(p, product, weight->rotated);
  return product;
}

/* --- The new graph ------------------------------------------------------------------------------------------------ */

struct value *parted_value(struct parted *p, const struct value *old) {
  struct parts *parts = p->parts[old->id];
  if (!parts || p->rewrite.map[old->id]) return rewrite_get(&p->rewrite, old);
  struct value *wide = quantized_wide(p->graph, parts);
  if (parts->rotated) wide = rotated_value(p, wide, parts->rotated);
  rewrite_set(&p->rewrite, old, wide);
  return wide;
}

static bool find_parts(struct parted *p, const struct value *old, parts_source *source, void *context) {
  struct parts **own = &p->parts[old->id];
  *own = source(context, p, old);
  const struct parts *from = !*own && old->input_count ? p->parts[old->inputs[0]->id] : NULL;
  if (from && old->op == OP_gather) *own = parts_of_lookup(p, old, from);
  if (from && old->input_count == 1) *own = parts_of_view(p, old, from);
  return *own != NULL;
}

static bool find_contraction(struct parted *p, const struct value *old) {
  if (old->op != OP_contract) return false;
  for (int side = 1; side >= 0; side--) {
    const struct parts *weight = p->parts[old->inputs[side]->id];
    if (!weight) continue;
    parted_value(p, old->inputs[1 - side]);
    struct value *product = contraction(p, old, side, weight);
    if (!product) continue;
    name_like(product, old);
    rewrite_set(&p->rewrite, old, product);
    return true;
  }
  return false;
}

void quantized_graph(struct graph *graph, parts_source *source, void *context, const bool *folds) {
  const struct origin origin = graph->origin;
  struct parted p = {.graph = graph, .rewrite = rewrite_begin(graph), .folds = folds};
  p.parts = arena_new_array(p.rewrite.scratch, struct parts *, p.rewrite.map_count);
  for (int i = 0; i < p.rewrite.count; i++) {
    struct value *old = p.rewrite.old[i];
    graph->origin = old->origin;
    if (find_parts(&p, old, source, context) || find_contraction(&p, old)) continue;
    for (int j = 0; j < old->input_count; j++) parted_value(&p, old->inputs[j]);
    rewrite_keep(&p.rewrite, old);
  }
  for (int i = 0; i < graph->outputs.count; i++) parted_value(&p, graph->outputs.items[i].value);
  graph->origin = origin;
  rewrite_end(&p.rewrite);
  graph_sweep(graph);
}

/* --- Weights ------------------------------------------------------------------------------------------------------ */

static struct parts *parts_of_weight(void *context, struct parted *p, const struct value *old) {
  const struct quantizer *quantizer = context;
  const int place = quantized_state(quantizer, old);
  const struct quantization *how = place < 0 ? NULL : &quantizer->of[place];
  if (!how || !how->rule) return NULL;
  return quantized_parts(p->graph, p->rewrite.scratch, build_state(p->graph, old->state), how);
}

void pass_quantize(struct quantizer *quantizer, struct graph *graph) {
  const struct program *program = quantizer->program;
  if (!program_uses_model(program, graph)) return;
  struct arena *before = arena_new();
  quantized_graph(graph, parts_of_weight, quantizer, quantized_folds(quantizer, graph, before));
  arena_free(before);
}
