/* Reverse-mode differentiation. The graph is rewritten in order; at the first gradient(loss, value) of a loss one sweep from the
   loss backwards finds the gradients of every value asked for with it. The rules are in autodiff_elementwise.c and
   autodiff_mixing.c; they build primitives, so what they build can be differentiated again.

   A gradient always has exactly the axes of its value. Where rules need a broadcast or a sum for that, `give` adds it, and
   pass_simplify takes away what was needless. */
#include "passes/autodiff.h"

#include <math.h>

#include "ir/table.h"
#include "passes/rewrite.h"

typedef void rule(struct backward *backward, struct value *y, struct value *d);
static rule *const rules[OP_COUNT] = {
#define OP(name, noun, class, inputs, attributes, price) [OP_##name] = gradient_##name,
#include "ir/ops.def"
};

bool wanted(const struct backward *backward, const struct value *x) {
  return x->id < backward->count && backward->active[x->id];
}

/* Adds `gradient` to those of `x`. It is summed over axes that `x` lacks; the sum is known to be zero only where all
   terms are. */
static void arrive(struct backward *backward, struct value *x, struct gradient gradient, bool is_relative) {
  if (!wanted(backward, x)) return;
  struct graph *graph = backward->graph;
  struct axis *axes[MAX_AXES];
  int count = axes_missing(gradient.value, x, axes);
  if (count) {
    struct value *mask = gradient.mask ? mask_over(graph, gradient.mask, x) : NULL;
    if (mask != gradient.mask) gradient = (struct gradient){cleaned(graph, &gradient), mask, false};
    gradient.value = build_reduce(graph, OP_reduce_sum, gradient.value, axes, count);
  }
  count = axes_missing(x, gradient.value, axes);
  if (count) gradient.value = build_expand(graph, gradient.value, axes, count);
  struct gradients *all = is_relative ? backward->relative : backward->absolute;
  array_push(graph->arena, &all[x->id].parts, gradient);
}

void give(struct backward *backward, struct value *x, struct value *gradient) {
  arrive(backward, x, (struct gradient){gradient, backward->mask, backward->dirty}, false);
}

void give_selected(struct backward *backward, struct value *x, struct value *gradient, struct value *mask) {
  arrive(backward, x, (struct gradient){gradient, mask_and(backward->graph, backward->mask, mask), true}, false);
}

void give_relative(struct backward *backward, struct value *x, struct value *gradient) {
  arrive(backward, x, (struct gradient){gradient, backward->mask, backward->dirty}, true);
}

void give_alike(struct backward *backward, struct value *x, struct value *gradient, struct value *mask) {
  arrive(backward, x, (struct gradient){gradient, mask, backward->dirty}, backward->is_relative);
}

/* Whether derivatives flow through the value: real numbers alone carry them. A call has no kind of its own; its results
   do. */
static bool carries(const struct value *value) {
  return value->op == OP_call || (value->kind == KIND_REAL && value->op != OP_stop);
}

static void mark_active(struct backward *backward, struct value *const *targets, int target_count) {
  struct graph *graph = backward->graph;
  for (int i = 0; i < target_count; i++) backward->active[targets[i]->id] = true;
  for (int i = 0; i < graph->values.count; i++) {
    const struct value *value = graph->values.items[i];
    if (!carries(value)) continue;
    for (int j = 0; j < value->input_count && !backward->active[value->id]; j++)
      backward->active[value->id] = backward->active[value->inputs[j]->id];
  }
}

bool only_looks(const struct value *value) {
  return op_facts[value->op].class == CLASS_VIEW && value->op != OP_pad && value->op != OP_concat;
}

/* Operations whose rules give zero where the gradient is zero, whatever the other operands are. */
static bool keeps_zeros(const struct value *value) {
  switch ((int)value->op) {
    case OP_neg:
    case OP_abs:
    case OP_cast:
    case OP_round_random:
    case OP_add:
    case OP_sub:
    case OP_max:
    case OP_min:
    case OP_reduce_sum:
    case OP_reduce_max:
    case OP_update:
    case OP_result:
      return true;
    case OP_mul:
      return (value->inputs[0]->op == OP_constant && isfinite(value->inputs[0]->number)) ||
             (value->inputs[1]->op == OP_constant && isfinite(value->inputs[1]->number));
    case OP_div:
      return value->inputs[1]->op == OP_constant && value->inputs[1]->number != 0;
    default:
      return op_facts[value->op].class == CLASS_VIEW;
  }
}

/* Operations whose rules may be given a dirty gradient: they look at each element by itself, or say themselves where
   their results are zero. All others are given the gradient with its zeros put in. */
static bool follows(const struct value *value) {
  if (op_is_elementwise(value->op)) return true;
  switch ((int)value->op) {
    case OP_slice:
    case OP_select: /* these need the zeros alone: the pad that is their gradient can then be joined with others */
      return false;
    case OP_reduce_sum:
    case OP_reduce_max:
    case OP_update:
      return true;
    default:
      return op_facts[value->op].class == CLASS_VIEW;
  }
}

/* Prepares `gradient` for the rule of `value`: sets the mask and the flags of what the rule will give, and returns the
   gradient as the rule may read it. */
static struct value *take(struct backward *backward, const struct value *value, struct gradient *gradient,
                          bool is_relative) {
  bool clean = !gradient->mask || !gradient->dirty || !follows(value);
  bool tells = follows(value) || value->op == OP_slice || value->op == OP_select || value->op == OP_gather ||
               value->op == OP_result;
  backward->mask = tells ? gradient->mask : NULL;
  backward->dirty = !clean || !keeps_zeros(value);
  backward->is_relative = is_relative;
  return clean ? cleaned(backward->graph, gradient) : gradient->value;
}

/* What single uses of a parameter add to its gradient would else be called after what it is computed from. */
static void name_parts(struct graph *graph, const struct value *parameter, const struct gradients *gradients) {
  for (int i = 0; i < gradients->parts.count && gradients->parts.count > 1; i++) {
    struct value *part = gradients->parts.items[i].value;
    if (!part->name && !part->call && op_facts[part->op].class != CLASS_LEAF)
      part->call = gradient_name(graph->arena, arena_format(graph->arena, "%s_part", parameter->state->name));
  }
}

/* Runs the rules from the loss backwards. Afterwards the gradient of each target is the only part in its list. */
static void sweep(struct backward *backward, struct value *loss) {
  struct graph *graph = backward->graph;
  struct origin origin = graph->origin;
  int count = graph->values.count;
  give(backward, loss, build_constant(graph, 1));
  for (int i = count - 1; i >= 0; i--) {
    struct value *value = graph->values.items[i]; /* rules append, so the items may have moved */
    if (!backward->active[value->id]) continue;
    graph->origin = value->origin;
    if (value->op == OP_call) {
      if (backward->results[value->id]) rules[OP_call](backward, value, NULL);
      continue;
    }
    if (value->op == OP_state) name_parts(graph, value, &backward->absolute[value->id]);
    struct gradient gradient = gradient_total(graph, &backward->absolute[value->id]);
    if (gradient.value) {
      struct value *passed = take(backward, value, &gradient, false), *whole = cleaned(graph, &gradient);
      name_gradient(graph, whole, value);
      array_push(graph->arena, &backward->absolute[value->id].parts, ((struct gradient){whole, NULL, false}));
      rules[value->op](backward, value, passed);
    }
    gradient = gradient_total(graph, &backward->relative[value->id]);
    if (!gradient.value) continue;
    struct value *passed = take(backward, value, &gradient, true);
    if (only_looks(value)) /* a view passes on both kinds by its usual rule */
      rules[value->op](backward, value, passed);
    else
      pass_relative(backward, value, passed);
  }
  backward->mask = NULL;
  graph->origin = origin;
}

/* The loss of each gradient node and the sweep that was made for it. */
struct swept {
  struct value *loss;
  struct backward *backward;
};
struct losses {
  ARRAY(struct swept) items;
};

static struct backward *sweep_for(struct losses *losses, struct rewrite *rewrite, const struct value *old_loss,
                                  struct diagnostics *diagnostics) {
  struct graph *graph = rewrite->graph;
  struct value *loss = rewrite_get(rewrite, old_loss);
  for (int i = 0; i < losses->items.count; i++)
    if (losses->items.items[i].loss == loss) return losses->items.items[i].backward;

  ARRAY(struct value *) targets = {0};
  for (int i = 0; i < rewrite->count; i++) {
    const struct value *node = rewrite->old[i];
    /* A target that has no new value yet comes after the loss, so the loss does not depend on it. */
    if (node->op == OP_gradient && node->inputs[0] == old_loss && rewrite->map[node->inputs[1]->id])
      array_push(graph->arena, &targets, rewrite_get(rewrite, node->inputs[1]));
  }
  struct backward *backward = arena_new_struct(rewrite->scratch, struct backward);
  *backward = (struct backward){
      .graph = graph,
      .diagnostics = diagnostics,
      .count = graph->next_value,
      .active = arena_new_array(rewrite->scratch, bool, graph->next_value),
      .absolute = arena_new_array(rewrite->scratch, struct gradients, graph->next_value),
      .relative = arena_new_array(rewrite->scratch, struct gradients, graph->next_value),
      .takes_relative = arena_new_array(rewrite->scratch, bool, graph->next_value),
      .sign = arena_new_array(rewrite->scratch, signed char, graph->next_value),
      .results = arena_new_array(rewrite->scratch, struct gradient *, graph->next_value),
  };
  mark_active(backward, targets.items, targets.count);
  mark_relative(backward, targets.items, targets.count);
  sweep(backward, loss);
  array_push(graph->arena, &losses->items, (struct swept){loss, backward});
  return backward;
}

/* All reads of a state in a graph see the same contents. The first one replaces the others, so that a gradient that is
   asked for at one read counts every use. */
static struct value *first_read(struct rewrite *rewrite, struct pointer_table *reads, struct value *old, int number) {
  const int first = *pointer_table_at(rewrite->scratch, reads, old->state, number);
  return first == number ? rewrite_keep(rewrite, old) : rewrite_get(rewrite, rewrite->old[first]);
}

bool pass_autodiff(struct graph *graph, struct diagnostics *diagnostics) {
  bool found = false;
  for (int i = 0; i < graph->values.count; i++) found = found || graph->values.items[i]->op == OP_gradient;
  if (!found) return true;
  pass_inline(graph);

  int errors = diagnostics->error_count;
  struct losses losses = {0};
  struct rewrite rewrite = rewrite_begin(graph);
  struct pointer_table reads = {0}; /* by state: the number of its first read */
  for (int i = 0; i < rewrite.count; i++) {
    struct value *old = rewrite.old[i];
    if (old->op == OP_state) {
      rewrite_set(&rewrite, old, first_read(&rewrite, &reads, old, i));
    } else if (old->op == OP_gradient) {
      struct backward *backward = sweep_for(&losses, &rewrite, old->inputs[0], diagnostics);
      struct value *target = rewrite_get(&rewrite, old->inputs[1]);
      struct value *gradient = NULL;
      if (target->id < backward->count && backward->absolute[target->id].parts.count)
        gradient = backward->absolute[target->id].parts.items[0].value;
      graph->origin = old->origin;
      if (!gradient) gradient = build_expand(graph, build_constant(graph, 0), target->axes, target->axis_count);
      name_like(gradient, old);
      rewrite_set(&rewrite, old, gradient);
    } else {
      rewrite_keep(&rewrite, old);
    }
  }
  rewrite_end(&rewrite);
  graph_sweep(graph);
  return diagnostics->error_count == errors;
}
