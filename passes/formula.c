/* What a kernel computes, as formulas for the reader of the output:
     mean = total of x over embed / 768; ln_1[batch, seq, embed] = (x - mean) * inverse_root * weight + bias
   Values that the kernel reads from memory have the names of its parameters, and those that the spec names on the way
   have formulas of their own. */
#include <string.h>

#include "passes/schedule.h"

enum { MOST_CHARACTERS = 600, MOST_DEPTH = 40 };

/* How tightly the operator of a text binds. */
enum binding { OF_CHOICE, OF_COMPARISON, OF_SUM, OF_PRODUCT, OF_ATOM };

struct formula {
  const char *text;
  enum binding binding;
};

struct title {
  const struct value *value;
  const char *name;
};

struct formulas {
  struct arena *arena;
  struct kernel *kernel;
  ARRAY(const struct value *) roots; /* what the kernel stores or sums up */
  ARRAY(const struct value *) defined; /* values that have a formula already */
  ARRAY(struct title) titles;
  const char *text; /* the formulas so far */
  int depth;
};

static struct formula formula_of(struct formulas *f, const struct value *value);

static struct formula atom(const char *text) { return (struct formula){text, OF_ATOM}; }

static bool is_root(const struct formulas *f, const struct value *value) {
  for (int i = 0; i < f->roots.count; i++)
    if (f->roots.items[i] == value) return true;
  return false;
}

static const char *bound(struct formulas *f, struct formula x, enum binding least) {
  return x.binding >= least ? x.text : arena_format(f->arena, "(%s)", x.text);
}

static const struct buffer *shown_at(const struct place *place) { return place->named ? place->named : place->buffer; }

/* The name that the kernel's parameter for the memory of the place will be printed with; NULL where there is none, or
   where it is called after another value that lies there before or after. Of several parameters that ask for one name,
   the second gets _2 (function_tidy_names). */
static const char *parameter_title(struct formulas *f, const struct place *place) {
  const struct function *function = f->kernel->function;
  for (int i = 0; i < f->kernel->pointers.count; i++) {
    const struct pointer_parameter *pointer = &f->kernel->pointers.items[i];
    if (pointer->buffer != place->buffer || pointer_shown(pointer) != shown_at(place)) continue;
    int before = 0;
    for (int j = 0; j < function->parameters.count; j++) {
      const struct array *array = function->parameters.items[j].array;
      if (array == pointer->array)
        return before ? arena_format(f->arena, "%s_%d", array->base, before + 1) : array->base;
      before += array && !strcmp(array->base, pointer->array->base);
    }
    return pointer->array->base;
  }
  return NULL;
}

/* The name that the value has in all formulas of the kernel: no other value has it. */
static const char *title_of(struct formulas *f, const struct value *value, const char *base) {
  for (int i = 0; i < f->titles.count; i++)
    if (f->titles.items[i].value == value) return f->titles.items[i].name;
  const struct place *place = note_of(f->kernel->scheduler, value)->place;
  const char *parameter = place ? parameter_title(f, place) : NULL, *name = parameter;
  if (!parameter) name = base = place ? name_end(f->arena, shown_at(place)->label, 1) : base;
  for (int number = 2; !parameter; number++) {
    bool taken = false;
    for (int i = 0; i < f->titles.count; i++) taken = taken || !strcmp(f->titles.items[i].name, name);
    for (int i = 0; i < f->kernel->pointers.count; i++)
      taken = taken || !strcmp(f->kernel->pointers.items[i].array->base, name);
    if (!taken) break;
    name = arena_format(f->arena, "%s_%d", base, number);
  }
  array_push(f->arena, &f->titles, ((struct title){value, name}));
  return name;
}

static const char *axes_of(struct formulas *f, struct axis *const *axes, int count) {
  const char *text = "";
  for (int i = 0; i < count; i++) text = arena_format(f->arena, "%s%s%s", text, i ? ", " : "", axes[i]->name);
  return text;
}

/* What stands to the right has parentheses where it binds no tighter: the reader sees the order of the operations. */
static struct formula binary(struct formulas *f, const struct value *value, const char *sign, enum binding binding) {
  const char *left = bound(f, formula_of(f, value->inputs[0]), binding);
  const char *right = bound(f, formula_of(f, value->inputs[1]), binding + 1);
  return (struct formula){arena_format(f->arena, "%s %s %s", left, sign, right), binding};
}

/* "exp(x)", "max(x, y)" */
static struct formula called(struct formulas *f, const struct value *value, const char *name) {
  const char *text = "";
  for (int i = 0; i < value->input_count; i++)
    text = arena_format(f->arena, "%s%s%s", text, i ? ", " : "", formula_of(f, value->inputs[i]).text);
  return atom(arena_format(f->arena, "%s(%s)", name, text));
}

static struct formula over(struct formulas *f, const struct value *value, const char *what, struct formula x) {
  const char *axes = axes_of(f, value->list, value->list_count);
  return (struct formula){arena_format(f->arena, "%s over %s of %s", what, axes, bound(f, x, OF_PRODUCT)), OF_SUM};
}

static struct formula elementwise(struct formulas *f, const struct value *value) {
  static const struct {
    enum op op;
    const char *sign;
    enum binding binding;
  } signs[] = {{OP_add, "+", OF_SUM},        {OP_sub, "-", OF_SUM},       {OP_mul, "*", OF_PRODUCT},
               {OP_div, "/", OF_PRODUCT},    {OP_lt, "<", OF_COMPARISON}, {OP_le, "<=", OF_COMPARISON},
               {OP_eq, "==", OF_COMPARISON}, {OP_ne, "!=", OF_COMPARISON}};
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
    if (signs[i].op == value->op) return binary(f, value, signs[i].sign, signs[i].binding);
  if (value->op == OP_neg)
    return (struct formula){arena_format(f->arena, "-%s", bound(f, formula_of(f, value->inputs[0]), OF_PRODUCT)),
                            OF_PRODUCT};
  if (value->op == OP_cast) return called(f, value, storage_names[value->storage]);
  if (value->op != OP_where) return called(f, value, op_facts[value->op].name);
  const char *condition = bound(f, formula_of(f, value->inputs[0]), OF_COMPARISON);
  const char *yes = bound(f, formula_of(f, value->inputs[1]), OF_COMPARISON);
  const char *no = bound(f, formula_of(f, value->inputs[2]), OF_CHOICE);
  return (struct formula){arena_format(f->arena, "%s ? %s : %s", condition, yes, no), OF_CHOICE};
}

/* x[axis = text] */
static struct formula at_axis(struct formulas *f, struct formula x, const struct axis *axis, const char *text) {
  return atom(arena_format(f->arena, "%s[%s = %s]", bound(f, x, OF_ATOM), axis->name, text));
}

/* What the value is computed as. */
static struct formula definition(struct formulas *f, const struct value *value) {
  struct arena *arena = f->arena;
  switch ((int)op_facts[value->op].class) {
    case CLASS_UNARY:
    case CLASS_BINARY:
    case CLASS_COMPARE:
    case CLASS_LOGIC:
    case CLASS_TERNARY:
      return elementwise(f, value);
    case CLASS_REDUCE:
      return over(f, value, value->op == OP_reduce_max ? "most" : "sum", formula_of(f, value->inputs[0]));
    case CLASS_CONTRACT:
      return over(f, value, "sum", binary(f, value, "*", OF_PRODUCT));
    case CLASS_GATHER: {
      const struct formula table = formula_of(f, value->inputs[0]);
      return at_axis(f, table, value->axis, formula_of(f, value->inputs[1]).text);
    }
    case CLASS_SCATTER: {
      const char *base = bound(f, formula_of(f, value->inputs[0]), OF_SUM);
      const char *index = formula_of(f, value->inputs[1]).text, *source = formula_of(f, value->inputs[2]).text;
      return (struct formula){arena_format(arena, "%s + %s at %s = %s", base, source, value->axis->name, index),
                              OF_SUM};
    }
    case CLASS_MIX:
      if (value->op == OP_scan)
        return (struct formula){
            arena_format(arena, "running sum along %s%s of %s", value->axis->name, value->start ? " from its end" : "",
                         bound(f, formula_of(f, value->inputs[0]), OF_PRODUCT)),
            OF_SUM};
      if (value->op == OP_quantile) {
        const char *text = arena_format(arena, "quantile %s", formula_of(f, value->inputs[1]).text);
        return over(f, value, text, formula_of(f, value->inputs[0]));
      }
      return (struct formula){arena_format(arena, "top along %s of %s", value->axis->name,
                                           bound(f, formula_of(f, value->inputs[0]), OF_PRODUCT)),
                              OF_SUM};
    case CLASS_RANDOM:
      return called(f, value, distribution_names[value->distribution]);
    case CLASS_LEAF:
      if (value->op == OP_constant || value->op == OP_index) return formula_of(f, value);
      return atom(name_end(arena, value->op == OP_state ? value->state->name : value->name, 1));
    case CLASS_UPDATE:
    case CLASS_STOP:
      return formula_of(f, value->inputs[0]);
    case CLASS_VIEW:
      if (value->op == OP_slice || value->op == OP_select)
        return at_axis(f, formula_of(f, value->inputs[0]), value->axis,
                       arena_format(arena, value->op == OP_slice ? "%lld..." : "%lld", (long long)value->start));
      if (value->input_count == 1 && value->op != OP_pad) return formula_of(f, value->inputs[0]);
      return called(f, value, op_facts[value->op].name);
  }
  return value->input_count ? called(f, value, op_facts[value->op].name) : atom(op_facts[value->op].noun);
}

static bool is_defined(const struct formulas *f, const struct value *value) {
  for (int i = 0; i < f->defined.count; i++)
    if (f->defined.items[i] == value) return true;
  return false;
}

static void define(struct formulas *f, const struct value *value, const char *name) {
  if (is_defined(f, value)) return;
  array_push(f->arena, &f->defined, value);
  const struct formula formula = definition(f, value);
  if (!strcmp(formula.text, name)) return;
  f->text = arena_format(f->arena, "%s%s%s = %s", f->text, *f->text ? "; " : "", name, formula.text);
}

static struct formula formula_of(struct formulas *f, const struct value *value) {
  struct arena *arena = f->arena;
  if (value->op == OP_constant) {
    char number[32];
    snprintf(number, sizeof number, "%.7g", value->number);
    return (struct formula){arena_strdup(arena, number), value->number < 0 ? OF_SUM : OF_ATOM};
  }
  if (value->op == OP_index) return atom(value->axis->name);
  if (f->depth > MOST_DEPTH || strlen(f->text) > MOST_CHARACTERS) return atom("...");
  const struct place *place = note_of(f->kernel->scheduler, value)->place;
  const bool own = is_root(f, value);
  if (place && !own) return atom(title_of(f, value, NULL));
  f->depth++;
  struct formula formula;
  const bool view = op_facts[value->op].class == CLASS_VIEW || value->op == OP_stop;
  const bool named = value->name || value->call;
  if (own || (!view && (named || kernel_uses(f->kernel->scheduler, value) > 1))) {
    /* One without a name that is used more than once: an operation's noun says something of a function alone. Other nouns do. */
    const bool telling = op_facts[value->op].class == CLASS_UNARY || value_noun(value) != op_facts[value->op].noun;
    const char *name = title_of(f, value, own || named || telling ? value_title(arena, value) : "t");
    define(f, value, name);
    formula = atom(name);
  } else {
    formula = definition(f, value);
  }
  f->depth--;
  return formula;
}

/* " in place of x" for a root that is stored where the kernel finds x, a value of another name; else "". */
static const char *replaced_by(struct formulas *f, const struct place *place) {
  for (int i = 0; i < f->kernel->pointers.count; i++) {
    const struct pointer_parameter *pointer = &f->kernel->pointers.items[i];
    if (pointer->buffer != place->buffer || pointer->offset || !pointer->found || pointer->found == shown_at(place))
      continue;
    const struct place found = {.buffer = pointer->buffer, .named = pointer->found};
    const char *title = parameter_title(f, &found);
    return title ? arena_format(f->arena, " in place of %s", title) : "";
  }
  return "";
}

/* The name of a root with its axes as they lie in memory, outermost first: "y[batch, seq, out]". What is a part of a
   larger buffer tells where it begins. */
static const char *place_title(struct formulas *f, const struct value *value) {
  const struct place *place = note_of(f->kernel->scheduler, value)->place;
  const char *name = title_of(f, value, value_title(f->arena, value));
  struct axis *order[MAX_AXES];
  int64_t strides[MAX_AXES];
  if (!place) return name;
  for (int i = 0; i < value->axis_count; i++) {
    const int64_t stride =
        place->strides[i] ? place->strides[i] : INT64_MAX; /* an axis of one element goes outermost */
    int at = i;
    for (; at > 0 && strides[at - 1] < stride; at--) order[at] = order[at - 1], strides[at] = strides[at - 1];
    order[at] = value->axes[i], strides[at] = stride;
  }
  if (!value->axis_count) return name;
  const char *part = place->offset ? arena_format(f->arena, " from element %lld on", (long long)place->offset) : "";
  return arena_format(f->arena, "%s[%s]%s%s", name, axes_of(f, order, value->axis_count), part, replaced_by(f, place));
}

const char *kernel_formula(struct kernel *kernel) {
  struct formulas formulas = {.arena = kernel->arena, .kernel = kernel, .text = ""}, *f = &formulas;
  const struct cluster *cluster = kernel->cluster;
  for (int i = 0; cluster && i < cluster->values.count; i++) array_push(f->arena, &f->roots, cluster->values.items[i]);
  if (!cluster) array_push(f->arena, &f->roots, kernel->value);
  for (int i = 0; i < f->roots.count; i++) {
    const struct value *root = f->roots.items[i];
    if (strlen(f->text) > MOST_CHARACTERS) return arena_format(f->arena, "%s; ...", f->text);
    define(f, root, place_title(f, root));
  }
  return *f->text ? f->text : NULL;
}
