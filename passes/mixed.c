/* The second step of mixed, on flat graphs that compute the loss: contractions multiply numbers of 16 bits, and what
   the forward pass leaves for the backward pass is exact in 16 bits. A cast carries the meaning; in how many bytes a
   value then lies is for those to decide who lay out memory.

   Which values are cast is the choice of PyTorch's autocast on CUDA. Operands of contractions are; so are their
   results, which are activations or gradients of activations. Sums that are gradients of parameters stay in float32,
   where autocast rounds them, too. Normalisation, softmax, the loss and everything else that is elementwise or a
   reduction is computed in float32, in both passes.

   What the backward pass needs of the forward pass, it computes again, in float32, from values of these kinds: results
   of contractions and their operands, which are exact in 16 bits; what is small, such as the mean of each row;
   parameters. Where that needs more than MOST_ROOTS large values, as the sums along a residual stream do, the value at
   which it first does is one that is saved: it is cast, and what follows from it is computed again from the cast.
   Casting whatever the backward pass reads would be worse: the slope of a saturated tanh is 1 - y^2, of which a rounded
   y leaves nothing, and exponentials leave the range of f16. What only the loss is computed from is not cast:
   differences of probabilities must keep their bits.

   Comparisons read what the forward pass compared. */
#include "ir/interpret.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

enum { MOST_ROOTS = 2 };

/* What is known of a value of the old graph. */
struct notes {
  bool forward; /* the loss depends on it; or it is a view in the backward pass of values like these */
  bool backward; /* a gradient of a parameter depends on it, and the loss does not */
  bool depends_on_data;
  bool exact; /* in the storage, once contractions are rounded */
  bool small; /* a reduction, or computed elementwise from these: one number for a row, or the like */
  bool feeds_contraction; /* a contraction of the forward pass depends on it */
  const struct value *user; /* of several, the last that was met */
  int user_count;
  bool is_rounded; /* a contraction, or what is added to it follows first */
  bool is_parameter_gradient; /* all that it goes into, elementwise or by views, is gradients of parameters */
  bool is_operand; /* of a contraction */
  bool is_saved; /* the backward pass begins to compute again from it */
  bool visited;
  int roots[MOST_ROOTS], root_count; /* the large values that it is computed from elementwise, by id */
  bool follows_saved; /* elementwise or by views from a value that must be saved if the backward pass needs this one */
  bool must_be_saved;
};

struct mixer {
  struct graph *graph;
  enum storage storage;
  struct rewrite rewrite;
  struct notes *notes; /* by the id of an old value */
  struct value **narrow; /* the value in the storage, where the graph has it */
  struct value **again; /* what the backward pass reads in place of the value */
};

static struct notes *notes_of(const struct mixer *m, const struct value *old) { return &m->notes[old->id]; }

/* Only the first step of mixed makes such casts: the language has none. */
static bool is_marker(const struct value *value) {
  return value->op == OP_cast && value->storage == STORAGE_F32 && value->inputs[0]->kind == KIND_REAL;
}

static bool is_view(const struct value *value) {
  return op_facts[value->op].class == CLASS_VIEW || value->op == OP_stop;
}

/* Whether an element of the result is computed from one element of each operand. */
static bool is_local(const struct value *value) { return op_is_elementwise(value->op) || is_view(value); }

static bool rounds_to_itself(const struct mixer *m, double number) {
  return scalar_round(m->storage, number) == number;
}

/* --- What is known before anything is changed --------------------------------------------------------------------- */

/* Marks what the outputs about the loss depend on; then what the marked gradients depend on besides. */
static void find_passes(struct mixer *m, struct value *const *values, int count) {
  const struct graph *graph = m->graph;
  for (int i = 0; i < graph->outputs.count; i++)
    if (graph->outputs.items[i].role != OUTPUT_ORDINARY) notes_of(m, graph->outputs.items[i].value)->forward = true;
  for (int i = count - 1; i >= 0; i--) {
    const struct notes *own = notes_of(m, values[i]);
    for (int j = 0; j < values[i]->input_count; j++) {
      struct notes *input = notes_of(m, values[i]->inputs[j]);
      if (own->forward) input->forward = true;
      if (own->backward || is_marker(values[i])) input->backward = true;
    }
  }
  for (int i = 0; i < count; i++) {
    struct notes *own = notes_of(m, values[i]);
    if (own->forward) own->backward = false;
    if (!own->backward || !is_view(values[i])) continue;
    bool forward = true;
    for (int j = 0; j < values[i]->input_count; j++) forward = forward && notes_of(m, values[i]->inputs[j])->forward;
    if (forward) own->forward = true, own->backward = false;
  }
}

/* A contraction of integers is exact as it is. */
static bool is_rounded_product(const struct value *value) {
  return value->op == OP_contract && value->kind == KIND_REAL;
}

/* Sets feeds_contraction and is_parameter_gradient, which follow from a value's users. */
static void look_at_users(struct mixer *m, struct value *const *values, int count) {
  for (int i = 0; i < count; i++) notes_of(m, values[i])->is_parameter_gradient = notes_of(m, values[i])->backward;
  for (int i = count - 1; i >= 0; i--) {
    const struct value *user = values[i];
    const struct notes *own = notes_of(m, user);
    for (int j = 0; j < user->input_count; j++) {
      struct notes *input = notes_of(m, user->inputs[j]);
      input->user = user;
      input->user_count++;
      if (own->forward && (is_rounded_product(user) || own->feeds_contraction)) input->feeds_contraction = true;
      if (!own->backward || is_marker(user)) continue;
      bool passes = own->is_parameter_gradient && (is_local(user) || (user->op == OP_scatter_add && j == 0));
      if (!passes) input->is_parameter_gradient = false;
    }
  }
}

/* Marks what is rounded of a contraction: its result, or where that goes only into a sum with a bias, the sum. */
static void find_rounded(struct mixer *m, const struct value *contraction) {
  struct notes *own = notes_of(m, contraction);
  if (!own->forward && (!own->backward || own->is_parameter_gradient)) return;
  const struct value *sum = own->user;
  bool has_bias = own->forward && own->user_count == 1 && sum->op == OP_add && same_axes(sum, contraction);
  for (int i = 0; has_bias && i < 2; i++)
    has_bias = sum->inputs[i] == contraction || !notes_of(m, sum->inputs[i])->depends_on_data;
  notes_of(m, has_bias ? sum : contraction)->is_rounded = true;
}

static bool has_exact_inputs(const struct mixer *m, const struct value *value, int first) {
  for (int i = first; i < value->input_count; i++)
    if (!notes_of(m, value->inputs[i])->exact) return false;
  return true;
}

/* Whole numbers up to this have no more bits than the storage. */
static int64_t largest_exact_integer(enum storage storage) { return storage == STORAGE_F16 ? 2048 : 256; }

static bool is_exact(const struct mixer *m, const struct value *value) {
  if (value->kind != KIND_REAL) return false;
  if (notes_of(m, value)->is_rounded) return true;
  switch ((int)value->op) {
    case OP_constant:
      return rounds_to_itself(m, value->number);
    case OP_cast: {
      const struct value *x = value->inputs[0];
      if (x->kind == KIND_BOOLEAN) return true;
      if (x->kind == KIND_INTEGER) return x->range && x->range->extent <= largest_exact_integer(m->storage);
      return value->storage == m->storage;
    }
    case OP_round_random:
      return m->storage == STORAGE_BF16;
    case OP_state:
      return value->state->storage == m->storage;
    case OP_neg:
    case OP_abs:
    case OP_max:
    case OP_min:
    case OP_reduce_max:
      return has_exact_inputs(m, value, 0);
    case OP_where:
      return has_exact_inputs(m, value, 1);
    case OP_gather:
      return notes_of(m, value->inputs[0])->exact;
    case OP_pad:
      return rounds_to_itself(m, value->number) && has_exact_inputs(m, value, 0);
    default:
      return is_view(value) && has_exact_inputs(m, value, 0);
  }
}

static void add_root(struct notes *own, int id, bool *fits) {
  for (int i = 0; i < own->root_count; i++)
    if (own->roots[i] == id) return;
  if (own->root_count < MOST_ROOTS)
    own->roots[own->root_count++] = id;
  else
    *fits = false;
}

/* Finds from which large values a value of the forward pass is computed, and whether they are too many. */
static void find_roots(struct mixer *m, const struct value *value) {
  struct notes *own = notes_of(m, value);
  if (value->kind != KIND_REAL || !own->depends_on_data || own->small || value->op == OP_random) return;
  bool fits = true;
  /* A lookup in a table of parameters is done again; what else mixes elements is not. */
  const bool is_lookup = value->op == OP_gather && !notes_of(m, value->inputs[0])->depends_on_data;
  const bool is_root = own->exact || is_lookup || value->op == OP_input;
  if (!is_root && is_local(value)) {
    for (int i = 0; i < value->input_count; i++) {
      const struct notes *input = notes_of(m, value->inputs[i]);
      for (int k = 0; k < input->root_count; k++) add_root(own, input->roots[k], &fits);
      own->follows_saved = own->follows_saved || input->follows_saved;
    }
    if (fits) return;
  }
  own->root_count = 1;
  own->roots[0] = value->id;
  own->must_be_saved = own->follows_saved = !is_root;
}

static void look_at_inputs(struct mixer *m, const struct value *value) {
  struct notes *own = notes_of(m, value);
  const enum op_class class = op_facts[value->op].class;
  own->depends_on_data = value->op == OP_input || class == CLASS_RANDOM;
  bool some_small = false, some_large = false;
  for (int i = 0; i < value->input_count; i++) {
    const struct notes *input = notes_of(m, value->inputs[i]);
    own->depends_on_data = own->depends_on_data || input->depends_on_data;
    some_small = some_small || input->small;
    some_large = some_large || (input->depends_on_data && !input->small);
  }
  if (is_rounded_product(value)) find_rounded(m, value);
  own->small = class == CLASS_REDUCE || (is_local(value) && some_small && !some_large);
  own->exact = is_exact(m, value);
  if (own->forward) find_roots(m, value);
}

/* --- Which values are cast ---------------------------------------------------------------------------------------- */

/* Whether the cast of a view is taken as the view of the cast, so that all views of a value share one. */
static bool moves_cast(const struct mixer *m, const struct value *view) {
  return is_view(view) && (view->op != OP_pad || rounds_to_itself(m, view->number));
}

static void find_operands(struct mixer *m, struct value *const *values, int count) {
  for (int i = count - 1; i >= 0; i--) {
    const struct notes *own = notes_of(m, values[i]);
    const bool contracts = is_rounded_product(values[i]) && (own->forward || own->backward);
    if (!contracts && !(own->is_operand && !own->exact && moves_cast(m, values[i]))) continue;
    for (int j = 0; j < values[i]->input_count; j++) notes_of(m, values[i]->inputs[j])->is_operand = true;
  }
}

/* Whether the backward pass reads another value in place of this one, which then follows from casts. */
static bool is_read_again(const struct mixer *m, const struct value *value) {
  const struct notes *own = notes_of(m, value);
  return value->kind == KIND_REAL && own->forward && own->depends_on_data && own->feeds_contraction && !own->exact &&
         !own->small && value->op != OP_input && value->op != OP_random && (own->is_operand || own->follows_saved);
}

/* Marks what must be saved so that the backward pass can have the value. */
static void need_again(struct mixer *m, const struct value *value) {
  struct notes *own = notes_of(m, value);
  if (own->visited || !is_read_again(m, value)) return;
  own->visited = true;
  if (own->is_operand) return;
  if (own->must_be_saved || !is_local(value)) {
    own->is_saved = true;
    return;
  }
  for (int i = 0; i < value->input_count; i++) need_again(m, value->inputs[i]);
}

/* Whether a sum in the backward pass reads its input as contractions do: gradients of biases are summed from what those
   of weights are, so that the value with all its bits need not be kept for them. */
static bool reads_narrow(const struct mixer *m, const struct value *user, const struct value *x) {
  return notes_of(m, user)->backward && user->op == OP_reduce_sum && notes_of(m, x)->backward &&
         notes_of(m, x)->is_operand;
}

static bool reads_again(const struct mixer *m, const struct value *user, const struct value *x) {
  return notes_of(m, user)->backward && user->kind == KIND_REAL && is_read_again(m, x);
}

/* --- The new graph ------------------------------------------------------------------------------------------------ */

static struct value *copy_with(struct mixer *m, const struct value *old, struct value *const *inputs) {
  m->graph->origin = old->origin;
  return value_copy(m->graph, old, inputs);
}

static struct value **inputs_for(struct mixer *m, const struct value *old) {
  return arena_new_array(m->rewrite.scratch, struct value *, old->input_count);
}

/* The value in the storage, right after the value itself: there it can be kept in its place. */
static void add_narrow(struct mixer *m, const struct value *old) {
  struct value *made = rewrite_get(&m->rewrite, old);
  const struct notes *own = notes_of(m, old);
  if (own->exact) {
    m->narrow[old->id] = made;
  } else if (own->is_operand && moves_cast(m, old)) {
    struct value **inputs = inputs_for(m, old);
    for (int i = 0; i < old->input_count; i++) inputs[i] = m->narrow[old->inputs[i]->id];
    m->narrow[old->id] = copy_with(m, old, inputs);
    m->narrow[old->id]->name = NULL; /* two values of one name would be taken for two copies */
  } else {
    m->graph->origin = old->origin;
    m->narrow[old->id] = build_cast(m->graph, made, m->storage);
  }
}

/* What the backward pass reads in place of the value: see need_again. */
static struct value *computed_again(struct mixer *m, const struct value *old) {
  if (!is_read_again(m, old)) return rewrite_get(&m->rewrite, old);
  if (m->narrow[old->id]) return m->narrow[old->id];
  if (m->again[old->id]) return m->again[old->id];
  struct value **inputs = inputs_for(m, old);
  for (int i = 0; i < old->input_count; i++) inputs[i] = computed_again(m, old->inputs[i]);
  m->again[old->id] = copy_with(m, old, inputs);
  m->again[old->id]->name = NULL;
  return m->again[old->id];
}

static struct value *mixed_contraction(struct mixer *m, const struct value *old) {
  struct value *inputs[2] = {m->narrow[old->inputs[0]->id], m->narrow[old->inputs[1]->id]};
  return copy_with(m, old, inputs);
}

static struct value *rounded(struct mixer *m, struct value *value) {
  m->graph->origin = value->origin;
  struct value *rounded = build_cast(m->graph, value, m->storage);
  name_like(rounded, value); /* what others read has the name */
  value->name = value->gradient_of = NULL;
  return rounded;
}

static struct value *rewritten(struct mixer *m, struct value *old) {
  const struct notes *own = notes_of(m, old);
  if (is_marker(old)) return rewrite_get(&m->rewrite, old->inputs[0]);
  if (is_rounded_product(old) && (own->forward || own->backward)) return mixed_contraction(m, old);
  struct value **inputs = inputs_for(m, old);
  bool changes = false;
  for (int i = 0; i < old->input_count; i++) {
    struct value *x = old->inputs[i];
    inputs[i] = reads_narrow(m, old, x)  ? m->narrow[x->id]
                : reads_again(m, old, x) ? computed_again(m, x)
                                         : rewrite_get(&m->rewrite, x);
    changes = changes || inputs[i] != x;
  }
  /* A value whose inputs change is copied, since others are still to be found by its old inputs. */
  return changes ? copy_with(m, old, inputs) : rewrite_keep(&m->rewrite, old);
}

void pass_mixed(struct graph *graph, enum storage storage) {
  graph_sweep(graph);
  const struct origin origin = graph->origin;
  struct mixer m = {.graph = graph, .storage = storage, .rewrite = rewrite_begin(graph)};
  struct arena *scratch = m.rewrite.scratch;
  struct value **old = m.rewrite.old;
  const int count = m.rewrite.count;
  m.notes = arena_new_array(scratch, struct notes, m.rewrite.map_count);
  m.narrow = arena_new_array(scratch, struct value *, m.rewrite.map_count);
  m.again = arena_new_array(scratch, struct value *, m.rewrite.map_count);
  find_passes(&m, old, count);
  look_at_users(&m, old, count);
  for (int i = 0; i < count; i++) look_at_inputs(&m, old[i]);
  find_operands(&m, old, count);
  for (int i = 0; i < count; i++)
    for (int j = 0; j < old[i]->input_count; j++)
      if (reads_again(&m, old[i], old[i]->inputs[j])) need_again(&m, old[i]->inputs[j]);
  for (int i = 0; i < count; i++) {
    const struct notes *own = notes_of(&m, old[i]);
    struct value *new_value = rewritten(&m, old[i]);
    rewrite_set(&m.rewrite, old[i], own->is_rounded ? rounded(&m, new_value) : new_value);
    if (own->is_operand || own->is_saved) add_narrow(&m, old[i]);
  }
  graph->origin = origin;
  rewrite_end(&m.rewrite);
  graph_sweep(graph);
}
