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

struct formulas {
  struct arena *arena;
  struct kernel *kernel;
  ARRAY(const struct value *) roots; /* what the kernel stores or sums up */
  ARRAY(const struct value *) defined; /* values that have a formula already */
  ARRAY(const struct value *) shortened; /* those called t1, t2 ... */
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

/* The name of what lies in the buffer: that of the kernel's parameter, where it is one. */
static const char *buffer_title(struct formulas *f, const struct buffer *buffer) {
  for (int i = 0; i < f->kernel->pointers.count; i++)
    if (f->kernel->pointers.items[i].buffer == buffer) return f->kernel->pointers.items[i].array->base;
  return name_end(f->arena, buffer->label, 1);
}

static const char *title_of(struct formulas *f, const struct value *value) {
  const struct place *place = note_of(f->kernel->scheduler, value)->place;
  return place ? buffer_title(f, place->buffer) : value_title(f->arena, value);
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
    case CLASS_GATHER:
      return at_axis(f, formula_of(f, value->inputs[0]), value->axis, formula_of(f, value->inputs[1]).text);
    case CLASS_SCATTER: {
      const char *base = bound(f, formula_of(f, value->inputs[0]), OF_SUM);
      const char *index = formula_of(f, value->inputs[1]).text, *source = formula_of(f, value->inputs[2]).text;
      return (struct formula){arena_format(arena, "%s + %s at %s = %s", base, source, value->axis->name, index),
                              OF_SUM};
    }
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

/* The name of a value that has none, and that is used more than once. */
static const char *short_name(struct formulas *f, const struct value *value) {
  if (op_facts[value->op].class == CLASS_UNARY) return op_facts[value->op].noun;
  for (int i = 0; i < f->shortened.count; i++)
    if (f->shortened.items[i] == value) return arena_format(f->arena, "t%d", i + 1);
  array_push(f->arena, &f->shortened, value);
  return arena_format(f->arena, "t%d", f->shortened.count);
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
  if (place && !own) return atom(title_of(f, value));
  f->depth++;
  struct formula formula;
  const bool view = op_facts[value->op].class == CLASS_VIEW || value->op == OP_stop;
  const bool named = value->name || value->call;
  if (own || (!view && (named || kernel_uses(f->kernel->scheduler, value) > 1))) {
    const char *name = own || named ? title_of(f, value) : short_name(f, value);
    define(f, value, name);
    formula = atom(name);
  } else {
    formula = definition(f, value);
  }
  f->depth--;
  return formula;
}

const char *kernel_formula(struct kernel *kernel) {
  struct formulas formulas = {.arena = kernel->arena, .kernel = kernel, .text = ""}, *f = &formulas;
  const struct cluster *cluster = kernel->cluster;
  for (int i = 0; cluster && i < cluster->values.count; i++) array_push(f->arena, &f->roots, cluster->values.items[i]);
  if (!cluster) array_push(f->arena, &f->roots, kernel->value);
  for (int i = 0; i < f->roots.count && strlen(f->text) <= MOST_CHARACTERS; i++) {
    const struct value *root = f->roots.items[i];
    const struct place *place = note_of(kernel->scheduler, root)->place;
    const char *name = title_of(f, root);
    if (place && root->axis_count) {
      const bool whole = place->buffer->axis_count == root->axis_count;
      name = arena_format(f->arena, "%s[%s]", name,
                          axes_of(f, whole ? place->buffer->axes : root->axes, root->axis_count));
    }
    define(f, root, name);
  }
  return *f->text ? f->text : NULL;
}
