/* Reverse-mode differentiation. The graph is rewritten in order; at the first gradient(loss, value) of a loss one sweep from the
   loss backwards finds the gradients of every value asked for with it. The rules are in autodiff_elementwise.c and
   autodiff_mixing.c; they build primitives, so what they build can be differentiated again.

   A gradient always has exactly the axes of its value. Where rules need a broadcast or a sum for that, `give` adds it, and
   pass_simplify takes away what was needless. */
#include "passes/autodiff.h"

#include <string.h>

#include "ir/table.h"
#include "passes/rewrite.h"

typedef void rule(struct backward *backward, struct value *y, struct value *d);
static rule *const rules[OP_COUNT] = {
#define OP(name, class, inputs) [OP_##name] = gradient_##name,
#include "ir/ops.def"
#undef OP
};

bool wanted(const struct backward *backward, const struct value *x) {
  return x->id < backward->count && backward->active[x->id];
}

void give(struct backward *backward, struct value *x, struct value *gradient) {
  if (!wanted(backward, x)) return;
  struct graph *graph = backward->graph;
  struct axis *axes[MAX_AXES];
  int count = axes_missing(gradient, x, axes);
  if (count) gradient = build_reduce(graph, OP_reduce_sum, gradient, axes, count);
  count = axes_missing(x, gradient, axes);
  if (count) gradient = build_expand(graph, gradient, axes, count);
  array_push(graph->arena, &backward->contributions[x->id].parts, gradient);
}

/* Padding with zeros along `axis`, as the gradients of slice and select are. */
static bool is_padding(const struct value *value, const struct axis *axis) {
  return value->op == OP_pad && value->number == 0 && (!axis || value->result == axis);
}

/* The parts of a value that was cut along an axis (q, k and v of one projection) come back as a join instead of a sum of
   zero-padded pieces. Takes those parts out of `parts`, or leaves all when they overlap. */
static struct value *join_slices(struct graph *graph, struct value **parts, int *count) {
  struct value *pieces[64];
  int piece_count = 0;
  struct axis *axis = NULL;
  for (int i = 0; i < *count; i++) {
    if (!is_padding(parts[i], axis)) continue;
    if (piece_count == 64) return NULL;
    axis = parts[i]->result;
    int at = piece_count++;
    for (; at > 0 && pieces[at - 1]->start > parts[i]->start; at--) pieces[at] = pieces[at - 1];
    pieces[at] = parts[i];
  }
  if (piece_count < 2 || axis->size) return NULL;
  struct value *joined[2 * 64 + 1];
  struct axis *axes[2 * 64 + 1];
  int joined_count = 0;
  int64_t end = 0;
  for (int i = 0; i <= piece_count; i++) {
    int64_t next = i < piece_count ? pieces[i]->start : axis->extent;
    if (next < end) return NULL;
    if (next > end) { /* a gap: zeros */
      struct axis *gap = axis_new(graph, axis->name, next - end, axis->span);
      struct axis *all[MAX_AXES];
      int all_count = 0;
      for (int j = 0; j < pieces[0]->axis_count; j++)
        all[all_count++] = pieces[0]->axes[j] == axis ? gap : pieces[0]->axes[j];
      joined[joined_count] = build_expand(graph, build_constant(graph, 0), all, all_count);
      axes[joined_count++] = gap;
    }
    if (i == piece_count) break;
    joined[joined_count] = pieces[i]->inputs[0];
    axes[joined_count++] = pieces[i]->axis;
    end = next + pieces[i]->axis->extent;
  }
  int kept = 0;
  for (int i = 0; i < *count; i++)
    if (!is_padding(parts[i], axis)) parts[kept++] = parts[i];
  *count = kept;
  return build_concat(graph, joined, axes, joined_count, axis);
}

/* The whole gradient of `value`, or NULL when none reached it. */
static struct value *total(struct backward *backward, const struct value *value) {
  struct contributions *contributions = &backward->contributions[value->id];
  struct value **parts = contributions->parts.items;
  int count = contributions->parts.count;
  struct value *sum = join_slices(backward->graph, parts, &count);
  for (int i = 0; i < count; i++) sum = sum ? build_binary(backward->graph, OP_add, sum, parts[i]) : parts[i];
  const char *name = value->op == OP_state ? value->state->name : value->name;
  if (sum && name) name_value(sum, arena_format(backward->graph->arena, "%s/gradient", name));
  contributions->parts.count = 0;
  if (sum) array_push(backward->graph->arena, &contributions->parts, sum);
  return sum;
}

/* A path through which derivatives flow: real numbers only, and calls, whose results say for themselves. */
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

/* Afterwards total() of each target, which has been taken by then, is the one part of its contributions. */
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
    struct value *gradient = total(backward, value);
    if (gradient) rules[value->op](backward, value, gradient);
  }
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
    /* A target that is not there yet comes after the loss, so the loss does not depend on it. */
    if (node->op == OP_gradient && node->inputs[0] == old_loss && rewrite->map[node->inputs[1]->id])
      array_push(graph->arena, &targets, rewrite_get(rewrite, node->inputs[1]));
  }
  struct backward *backward = arena_new_struct(rewrite->scratch, struct backward);
  *backward = (struct backward){
      .graph = graph,
      .diagnostics = diagnostics,
      .count = graph->next_value,
      .active = arena_new_array(rewrite->scratch, bool, graph->next_value),
      .contributions = arena_new_array(rewrite->scratch, struct contributions, graph->next_value),
      .results = arena_new_array(rewrite->scratch, struct value **, graph->next_value),
  };
  mark_active(backward, targets.items, targets.count);
  sweep(backward, loss);
  array_push(graph->arena, &losses->items, (struct swept){loss, backward});
  return backward;
}

/* All reads of a state in a graph see the same contents, so the first stands for all: a gradient asked for at one read is that
   of every use. */
static struct value *first_read(struct rewrite *rewrite, struct table *reads, struct value *old) {
  const char *key = arena_format(rewrite->scratch, "%p", (void *)old->state);
  struct value *copy = table_find(reads, key);
  if (copy) return copy;
  copy = rewrite_keep(rewrite, old);
  table_set(rewrite->scratch, reads, key, copy);
  return copy;
}

bool pass_autodiff(struct graph *graph, struct diagnostics *diagnostics) {
  bool found = false;
  for (int i = 0; i < graph->values.count; i++) found = found || graph->values.items[i]->op == OP_gradient;
  if (!found) return true;
  pass_inline(graph);

  int errors = diagnostics->error_count;
  struct losses losses = {0};
  struct rewrite rewrite = rewrite_begin(graph);
  struct table reads = {0};
  for (int i = 0; i < rewrite.count; i++) {
    struct value *old = rewrite.old[i];
    if (old->op == OP_state) {
      rewrite_set(&rewrite, old, first_read(&rewrite, &reads, old));
    } else if (old->op == OP_gradient) {
      struct backward *backward = sweep_for(&losses, &rewrite, old->inputs[0], diagnostics);
      struct value *target = rewrite_get(&rewrite, old->inputs[1]);
      struct value *gradient = NULL;
      if (target->id < backward->count && backward->contributions[target->id].parts.count)
        gradient = backward->contributions[target->id].parts.items[0];
      graph->origin = old->origin;
      if (!gradient)
        gradient = build_expand(graph, build_constant(graph, 0), target->axes, target->axis_count);
      name_value(gradient, old->name);
      rewrite_set(&rewrite, old, gradient);
    } else {
      rewrite_keep(&rewrite, old);
    }
  }
  rewrite_end(&rewrite);
  graph_sweep(graph);
  return diagnostics->error_count == errors;
}
