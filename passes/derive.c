/* Finds what graphs that do not train compute of parameters alone (or of the averages read in their place), and moves it to
   program->derive, which writes it to states that the graphs read. That graph runs when parameters have changed, not at each
   call. Values that are equal in several graphs are one state. What depends on numbers alone, such as a matrix for a rotation, counts as
   computed of parameters.

   The border is where the fewest bytes cross it. What mixes elements (a reduction, a contraction, a running sum) is work that
   is always moved. Views and elementwise operations may stand on either side, since kernels compute them where they read
   them; such a value is kept when it is no larger than all that it is computed of. It counts as an eighth more than its size,
   for the memory that a state costs, so nothing is kept that saves hardly any bytes. Examples:

     w / max(|w|)         the maximum is kept, and w is read: keeping the quotient would be a second w
     i8(round(w / s))     is kept, being a quarter of w; what multiplies it by s again stays where it is read
     w + a @ b            the sum is kept: w and the product are more bytes
     1 + gain             stays

   Steps and scales that quantize made of a parameter are kept whatever they cost, and views of them are not, since files may hold
   them in the parameter's place (derive_files.c). */
#include <string.h>

#include "ir/exactness.h"
#include "passes/derive.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

/* What is known of a value of the graph at hand. */
struct derivation {
  bool fixed; /* depends on parameters and numbers alone */
  bool rooted; /* depends on a parameter */
  bool kept; /* keeping it costs less than computing it of other kept values and parameters */
  bool part; /* files may hold it in the place of a parameter; or it is a view of what they may */
  double bytes; /* what the graph reads for it, in the cheaper way */
};

struct kept_state {
  struct state *state;
  struct derived_order order; /* in words, its last axes are block, word and slot */
  unsigned summed; /* the axes of the value that these are made of */
};

struct deriver {
  struct program *program;
  struct graph *derive;
  /* Beside training, evaluation is rare, and copies of all weights would come on top of training's memory: it reads what other
     graphs derive, and adds nothing. */
  bool finds_only;
  struct pointer_table state_of; /* by value of derive: the number of its state among those kept */
  ARRAY(struct kept_state) kept;
  /* About the graph at hand: */
  struct derivation *known; /* by value id */
  const struct exactness *exactness; /* by value id */
  const unsigned *summed; /* by value id: see find_summed_axes */
  struct value **moved; /* by value id: the equal value of derive */
  /* Local axes of equal values are different axes in each graph. By axis of the graph, 1 + the number in `axes` of the one that
     stands for it in derive; and the other way round. */
  struct pointer_table axis_of, axis_from;
  ARRAY(struct axis *) axes;
};

/* --- The border ------------------------------------------------------------------------------------------------------------- */

static int64_t row_of(const struct value *value) {
  return value->axis_count ? value->axes[value->axis_count - 1]->extent : 1;
}

/* The bytes of the value in the narrowest storage of its own kind that holds it exactly. A number that became real is wide, whatever it was
   before: the border must not stand behind what widens a value. */
static double bytes_of(const struct deriver *deriver, const struct value *value) {
  const enum storage storage = exactness_storage(deriver->exactness[value->id], value->kind, row_of(value));
  return (double)value_count(value) * storage_facts[storage].bits / 8;
}

static bool is_sized(const struct axis *axis) { return axis && axis->size; }

static bool has_sized_axis(const struct value *value) {
  for (int i = 0; i < value->axis_count; i++)
    if (is_sized(value->axes[i])) return true;
  for (int i = 0; i < value->list_count; i++)
    if (is_sized(value->list[i])) return true;
  return is_sized(value->axis) || is_sized(value->result) || is_sized(value->range);
}

static bool is_written(const struct graph *graph, const struct state *state) {
  for (int i = 0; i < graph->values.count; i++)
    if (graph->values.items[i]->op == OP_update && graph->values.items[i]->state == state) return true;
  return false;
}

static bool is_fixed(const struct deriver *deriver, const struct graph *graph, const struct value *value) {
  if (value->op == OP_state) return state_is_fixed(value->state) && !is_written(graph, value->state);
  if (value->op == OP_input || value->op == OP_random || value->op == OP_update || has_sized_axis(value)) return false;
  for (int i = 0; i < value->input_count; i++)
    if (!deriver->known[value->inputs[i]->id].fixed) return false;
  return true;
}

/* Whether an element of the value is an expression that a kernel computes where it reads it. */
static bool is_computed_where_read(const struct value *value) {
  const enum op_class class = op_facts[value->op].class;
  return op_is_elementwise(value->op) || class == CLASS_LEAF || class == CLASS_VIEW || class == CLASS_STOP ||
         class == CLASS_GATHER;
}

/* The bytes that are read for one operand of a value. Views may leave most of it out; but what is kept is kept whole, unless it is
   kept in any case. */
static double bytes_for(const struct deriver *deriver, const struct value *value, const struct value *input) {
  const struct derivation *known = &deriver->known[input->id];
  const double count = (double)value_count(value), of = (double)value_count(input);
  const bool part =
      (!known->kept || known->part) && !op_is_elementwise(value->op) && value->op != OP_concat && count < of;
  return part ? known->bytes * count / of : known->bytes;
}

/* The first parameter that a rooted value is computed of. */
static struct state *parameter_of(const struct deriver *deriver, const struct value *value) {
  while (value->op != OP_state) {
    int i = 0;
    while (!deriver->known[value->inputs[i]->id].rooted) i++;
    value = value->inputs[i];
  }
  return value->state;
}

static struct derivation derivation_of(const struct deriver *deriver, const struct graph *graph,
                                       const struct value *value) {
  struct derivation known = {.fixed = is_fixed(deriver, graph, value)};
  if (!known.fixed) return known;
  known.rooted = value->op == OP_state;
  if (known.rooted) known.bytes = bytes_of(deriver, value);
  for (int i = 0; i < value->input_count; i++) {
    const struct value *input = value->inputs[i];
    known.rooted = known.rooted || deriver->known[input->id].rooted;
    if (i == 0 || input != value->inputs[i - 1]) known.bytes += bytes_for(deriver, value, input);
  }
  const double own = bytes_of(deriver, value) * 9 / 8;
  const bool stored = known.rooted && value->op != OP_state && is_part_of(value, parameter_of(deriver, value)),
             view = op_facts[value->op].class == CLASS_VIEW && value->input_count == 1 &&
                    deriver->known[value->inputs[0]->id].part;
  known.part = stored || view;
  known.kept = value->op != OP_state && value->axis_count <= MAX_RANK && !view &&
               (stored || own <= known.bytes || !is_computed_where_read(value));
  if (known.kept) known.bytes = own;
  return known;
}

/* --- Moving ----------------------------------------------------------------------------------------------------------------- */

static struct axis *axis_in_derive(const struct deriver *deriver, const struct axis *axis) {
  const int *number = pointer_table_find(&deriver->axis_of, axis);
  return number ? deriver->axes.items[*number - 1] : NULL;
}

/* Lets an axis of derive stand for an axis of the graph. False where one of them already has another. */
static bool bind_axis(struct deriver *deriver, struct axis *axis, struct axis *to) {
  struct arena *arena = deriver->program->arena;
  if (!axis != !to) return false;
  if (!axis) return true;
  const struct axis *known = axis_in_derive(deriver, axis);
  if (known) return known == to;
  if (axis->extent != to->extent || pointer_table_find(&deriver->axis_from, to)) return false;
  array_push(arena, &deriver->axes, to);
  *pointer_table_at(arena, &deriver->axis_of, axis, 0) = deriver->axes.count;
  *pointer_table_at(arena, &deriver->axis_from, to, 0) = 1;
  return true;
}

/* The axis of derive that stands for one of the graph, made where there is none. */
static struct axis *take_axis(struct deriver *deriver, struct axis *axis) {
  if (!axis) return NULL;
  struct axis *known = axis_in_derive(deriver, axis);
  if (known) return known;
  if (bind_axis(deriver, axis, axis)) return axis;
  known = axis_new(deriver->derive, axis->name, axis->extent, axis->span);
  bind_axis(deriver, axis, known);
  return known;
}

/* Whether a value of derive is the value, once its new axes are bound to those of the former. */
static bool is_same_value(struct deriver *deriver, const struct value *value, const struct value *other) {
  if (value->op != other->op || value->kind != other->kind || value->state != other->state ||
      memcmp(&value->number, &other->number, sizeof value->number) != 0 || value->start != other->start ||
      value->storage != other->storage || value->input_count != other->input_count ||
      value->list_count != other->list_count || value->axis_count != other->axis_count)
    return false;
  for (int i = 0; i < value->input_count; i++)
    if (deriver->moved[value->inputs[i]->id] != other->inputs[i]) return false;
  /* Of what was bound for a value that then is another one, nothing must stay. */
  struct axis *pairs[2 * (MAX_AXES + 3)][2];
  int count = 0;
  pairs[count][0] = value->axis, pairs[count++][1] = other->axis;
  pairs[count][0] = value->result, pairs[count++][1] = other->result;
  for (int i = 0; i < value->list_count && i < MAX_AXES; i++)
    pairs[count][0] = value->list[i], pairs[count++][1] = other->list[i];
  for (int i = 0; i < value->axis_count; i++) pairs[count][0] = value->axes[i], pairs[count++][1] = other->axes[i];
  pairs[count][0] = value->range, pairs[count++][1] = other->range;
  for (int i = 0; i < count; i++) {
    const struct axis *axis = pairs[i][0], *to = pairs[i][1];
    if (!axis != !to) return false;
    if (!axis) continue;
    const struct axis *known = axis_in_derive(deriver, axis);
    if (known ? known != to : axis->extent != to->extent || pointer_table_find(&deriver->axis_from, to)) return false;
    for (int j = 0; j < i; j++)
      if ((pairs[j][0] == axis) != (pairs[j][1] == to)) return false;
  }
  for (int i = 0; i < count; i++)
    if (!bind_axis(deriver, pairs[i][0], pairs[i][1])) bug("an axis of a derived value stands for two");
  return true;
}

static struct value *copy_to_derive(struct deriver *deriver, const struct value *value) {
  struct arena *arena = deriver->program->arena;
  struct value **inputs = arena_new_array(arena, struct value *, value->input_count);
  for (int i = 0; i < value->input_count; i++) inputs[i] = deriver->moved[value->inputs[i]->id];
  struct value *copy = value_copy(deriver->derive, value, inputs);
  copy->axes = arena_new_array(arena, struct axis *, value->axis_count);
  for (int i = 0; i < value->axis_count; i++) copy->axes[i] = take_axis(deriver, value->axes[i]);
  if (value->list_count) copy->list = arena_new_array(arena, struct axis *, value->list_count);
  for (int i = 0; i < value->list_count; i++) copy->list[i] = take_axis(deriver, value->list[i]);
  copy->axis = take_axis(deriver, value->axis);
  copy->result = take_axis(deriver, value->result);
  copy->range = take_axis(deriver, value->range);
  return copy;
}

/* Axes of parameters are those of all graphs: they stand for themselves. */
static void bind_shared_axes(struct deriver *deriver, const struct value *value) {
  for (int i = 0; value->op == OP_state && i < value->axis_count; i++) take_axis(deriver, value->axes[i]);
}

static void find_moved(struct deriver *deriver, const struct value *value) {
  const struct graph *derive = deriver->derive;
  struct value **moved = &deriver->moved[value->id];
  for (int i = 0; i < derive->values.count && !*moved; i++)
    if (is_same_value(deriver, value, derive->values.items[i])) *moved = derive->values.items[i];
}

/* Keeps only what is a state of derive already. */
static void keep_found(struct deriver *deriver, const struct graph *graph) {
  for (int i = 0; i < graph->values.count; i++) bind_shared_axes(deriver, graph->values.items[i]);
  for (int i = 0; i < graph->values.count; i++) {
    struct derivation *known = &deriver->known[i];
    if (known->fixed) find_moved(deriver, graph->values.items[i]);
    known->kept = known->kept && deriver->moved[i] && pointer_table_find(&deriver->state_of, deriver->moved[i]);
  }
}

static void move_value(struct deriver *deriver, const struct value *value) {
  struct value **moved = &deriver->moved[value->id];
  find_moved(deriver, value);
  if (!*moved) *moved = copy_to_derive(deriver, value);
}

/* --- States ----------------------------------------------------------------------------------------------------------------- */

/* How many elements of the value are not zero at most, where it is zero wherever a pruned parameter is; 0: nothing is known. */
static int64_t kept_elements(const struct value *value) {
  int64_t kept, other;
  switch ((int)value->op) {
    case OP_state:
      return value->state->kept;
    case OP_neg:
    case OP_abs:
    case OP_floor:
    case OP_round:
    case OP_cast:
    case OP_stop:
    case OP_rename:
    case OP_split:
    case OP_merge:
      return kept_elements(value->inputs[0]);
    case OP_min:
    case OP_max:
      for (int i = 0; i < 2; i++)
        if (value->inputs[i]->op == OP_constant &&
            (value->op == OP_min ? value->inputs[i]->number >= 0 : value->inputs[i]->number <= 0))
          return kept_elements(value->inputs[1 - i]);
      return 0;
    case OP_div:
      return value_count(value->inputs[0]) == value_count(value) ? kept_elements(value->inputs[0]) : 0;
    case OP_mul:
      kept = value_count(value->inputs[0]) == value_count(value) ? kept_elements(value->inputs[0]) : 0;
      other = value_count(value->inputs[1]) == value_count(value) ? kept_elements(value->inputs[1]) : 0;
      return !kept || (other && other < kept) ? other : kept;
    default:
      return 0;
  }
}

struct state *derived_state(struct program *program, const char *name, enum kind kind, struct axis *const *axes,
                            int axis_count, struct span span) {
  struct arena *arena = program->arena;
  struct state *state = arena_new_struct(arena, struct state);
  state->name = name;
  for (int number = 2, i = 0; i < program->states.count; i++)
    if (!strcmp(program->states.items[i]->name, state->name))
      state->name = arena_format(arena, "%s.%d", name, number++), i = -1;
  state->role = ROLE_DERIVED;
  state->kind = kind;
  state->axes = arena_new_array(arena, struct axis *, axis_count);
  for (int i = 0; i < axis_count; i++) state->axes[i] = axes[i];
  state->axis_count = axis_count;
  state->initial = INITIAL_CONSTANT;
  state->stream = hash_path(state->name);
  state->span = span;
  array_push(arena, &program->states, state);
  return state;
}

/* The state that derive writes the value to. */
static const struct kept_state *state_of(struct deriver *deriver, const struct value *value) {
  struct program *program = deriver->program;
  struct value *moved = deriver->moved[value->id];
  int *number = pointer_table_at(program->arena, &deriver->state_of, moved, -1);
  if (*number >= 0) return &deriver->kept.items[*number];
  const char *name = value->name ? value->name : value->call;
  struct state *parameter = deriver->known[value->id].rooted ? parameter_of(deriver, value) : NULL;
  if (!name) {
    const char *noun = op_facts[value->op].noun;
    name = parameter ? arena_format(program->arena, "%s/%s", parameter->name, noun) : noun;
  }
  deriver->derive->origin = value->origin;
  const enum storage narrowest = exactness_storage(deriver->exactness[value->id], value->kind, 8);
  const int bits = value->kind == KIND_INTEGER ? storage_facts[narrowest].bits : 0;
  /* What files hold in place of a parameter has the parameter's order. */
  const bool in_files = parameter && is_part_of(value, parameter);
  struct kept_state kept = {.summed = in_files ? 0 : deriver->summed[value->id]};
  kept.order = derived_order_of(moved->axes, moved->axis_count, kept.summed, bits);
  if (kept.order.in_words) moved = derived_in_words(deriver->derive, moved, &kept.order);
  struct state *state =
      derived_state(program, name, moved->kind, kept.order.axes, kept.order.count, value->origin.span);
  if (in_files && !strcmp(state->name, name)) state->role = ROLE_QUANTIZED, state->of = parameter;
  const int64_t row = kept.order.count ? kept.order.axes[kept.order.count - 1]->extent : 1;
  const enum storage storage = exactness_storage(deriver->exactness[value->id], value->kind, row);
  if (storage_facts[storage].c) state->storage = storage;
  state->kept = kept_elements(moved);
  build_update(deriver->derive, state, moved, NULL, NULL);
  kept.state = state;
  *number = deriver->kept.count;
  array_push(program->arena, &deriver->kept, kept);
  return &deriver->kept.items[*number];
}

/* The state's contents with the axes that the value has in its own graph. */
static struct value *read_state(struct deriver *deriver, struct graph *graph, const struct value *value,
                                const struct kept_state *kept) {
  graph->origin = value->origin;
  struct value *read = build_state(graph, kept->state);
  struct axis *present[MAX_AXES], *summed[MAX_AXES];
  int summed_count = 0;
  /* An axis that another one is to become goes out of the way first. */
  for (int i = 0; i < value->axis_count; i++) {
    struct axis *own = value->axes[i];
    present[i] = axis_in_derive(deriver, own);
    if (kept->order.in_words && kept->summed >> i & 1) {
      summed[summed_count++] = own;
      present[i] = own;
      continue;
    }
    if (present[i] == own) continue;
    for (int j = 0; j < value->axis_count; j++) {
      if (value->axes[j] != present[i]) continue;
      struct axis *between = axis_new(graph, own->name, own->extent, own->span);
      read = build_rename(graph, read, present[i], between);
      present[i] = between;
      break;
    }
  }
  for (int i = 0; i < value->axis_count; i++)
    if (present[i] != value->axes[i]) read = build_rename(graph, read, present[i], value->axes[i]);
  if (kept->order.in_words)
    read = derived_from_words(graph, read, kept->order.axes + kept->order.count - 3, summed, summed_count);
  if (read->kind == KIND_INTEGER) read->range = value->range;
  return read;
}

/* --- The pass --------------------------------------------------------------------------------------------------------------- */

/* Marks the values of which something that stays reads a kept state, and those that these are computed of. */
static bool find_border(const struct deriver *deriver, const struct graph *graph, bool *border, bool *moves) {
  const int count = graph->values.count;
  struct arena *scratch = arena_new();
  bool *stays = arena_new_array(scratch, bool, count), found = false;
  for (int i = 0; i < graph->outputs.count; i++) stays[graph->outputs.items[i].value->id] = true;
  for (int i = count - 1; i >= 0; i--) {
    const struct value *value = graph->values.items[i];
    if (value->op == OP_update) stays[i] = true;
    border[i] = stays[i] && deriver->known[i].kept;
    moves[i] = moves[i] || border[i];
    found = found || border[i];
    for (int j = 0; j < value->input_count; j++) {
      if (stays[i] && !border[i]) stays[value->inputs[j]->id] = true;
      if (moves[i]) moves[value->inputs[j]->id] = true;
    }
  }
  arena_free(scratch);
  return found;
}

static void derive_of(struct deriver *deriver, struct graph *graph) {
  graph_sweep(graph);
  const int count = graph->values.count;
  struct arena *scratch = arena_new();
  deriver->known = arena_new_array(scratch, struct derivation, count);
  deriver->moved = arena_new_array(scratch, struct value *, count);
  deriver->axis_of = deriver->axis_from = (struct pointer_table){0};
  deriver->axes.count = 0;
  bool *border = arena_new_array(scratch, bool, count), *moves = arena_new_array(scratch, bool, count);
  deriver->exactness = graph_exactness(scratch, graph);
  deriver->summed = find_summed_axes(scratch, graph);
  for (int i = 0; i < count; i++) deriver->known[i] = derivation_of(deriver, graph, graph->values.items[i]);
  if (deriver->finds_only) keep_found(deriver, graph);
  if (find_border(deriver, graph, border, moves)) {
    for (int i = 0; i < count; i++)
      if (moves[i]) bind_shared_axes(deriver, graph->values.items[i]);
    for (int i = 0; i < count; i++)
      if (moves[i]) move_value(deriver, graph->values.items[i]);
    struct kept_state *states = arena_new_array(scratch, struct kept_state, count);
    for (int i = 0; i < count; i++)
      if (border[i]) states[i] = *state_of(deriver, graph->values.items[i]);
    struct rewrite rewrite = rewrite_begin(graph); /* from here on values have other numbers */
    for (int i = 0; i < count; i++) {
      struct value *old = rewrite.old[i];
      if (border[i]) {
        struct value *read = read_state(deriver, graph, old, &states[i]);
        name_like(read, old);
        rewrite_set(&rewrite, old, read);
      } else {
        rewrite_keep(&rewrite, old); /* what nothing needs any more goes by the sweep */
      }
    }
    rewrite_end(&rewrite);
    graph_sweep(graph);
  }
  arena_free(scratch);
}

void pass_derive(struct program *program) {
  struct deriver deriver = {.program = program};
  if (program->derive) return;
  deriver.derive = graph_new(program->arena, routine_facts[ROUTINE_derive].name, &program->next_axis);
  for (int i = 0; program_graph(program, i); i++) {
    struct graph *graph = *program_graph(program, i);
    const bool beside = graph == program->evaluate && program->train;
    if (!beside && program_uses_model(program, graph)) derive_of(&deriver, graph);
  }
  deriver.finds_only = true;
  if (program->evaluate && program->train) derive_of(&deriver, program->evaluate);
  if (!deriver.derive->values.count) return;
  graph_sweep(deriver.derive);
  program->derive = deriver.derive;
  settle_parts(program);
}
