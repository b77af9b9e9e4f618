/* Axes: declarations, products, sizes, and what generation forbids along the window. */
#include "frontend/lower.h"

#include <math.h>
#include <string.h>

/* --- Sizes -------------------------------------------------------------------------------------------------------- */

bool check_size(struct lowering *lowering, struct span span, double size, const char *what, int64_t *extent) {
  if (!(size >= 1) || size > INT32_MAX || size != floor(size)) {
    fail(lowering, span, "%s must be a whole number from 1 to %d, and is %.10g", what, INT32_MAX, size);
    return false;
  }
  *extent = (int64_t)size;
  return true;
}

static bool axis_size(struct lowering *lowering, const struct ast_expression *expression, const char *what,
                      int64_t *extent) {
  double size;
  const bool before = lowering->sizes;
  lowering->sizes = true;
  const bool known = evaluate_number(lowering, expression, what, &size);
  lowering->sizes = before;
  return known && check_size(lowering, expression->span, size, what, extent);
}

/* --- The axis of examples ----------------------------------------------------------------------------------------- */

bool is_batch_name(const char *name) { return !strcmp(name, axis_role_names[AXIS_BATCH]); }

/* --- Axes at the top of files ------------------------------------------------------------------------------------- */

void declare_global_axes(struct lowering *lowering, struct file *file) {
  for (int i = 0; i < file->tree->items.count; i++) {
    const struct ast_item *item = file->tree->items.items[i];
    if (item->kind != ITEM_AXIS) continue;
    const struct ast_name name = item->axis.name;
    const bool twice = is_batch_name(name.text);
    if (twice)
      fail(lowering, name.span, "the axis 'batch' is there without being declared: every input of a model has it");
    const struct global_axis *first = table_find(&file->axis_names, name.text);
    if (first && !lowering->exhausted) {
      fail(lowering, name.span, "axis '%s' is declared twice", name.text);
      report_note(lowering->diagnostics, first->declaration->name.span, "the first declaration");
    }
    if (twice || first) continue;
    struct global_axis *global = arena_new_struct(lowering->arena, struct global_axis);
    *global = (struct global_axis){.declaration = &item->axis, .file = file};
    array_push(lowering->arena, &file->axes, global);
    table_set(lowering->arena, &file->axis_names, name.text, global);
  }
}

static bool size_global_axis(struct lowering *lowering, struct global_axis *global, int64_t *extent) {
  const struct ast_axis *declaration = global->declaration;
  const char *what = arena_format(lowering->arena, "the size of axis '%s'", declaration->name.text);
  global->root = global;
  struct override *override = find_override(lowering, declaration->name.text);
  if (override) {
    const struct ast_expression *expression = override_expression(lowering, override);
    return expression && axis_size(lowering, expression, what, extent);
  }
  switch (declaration->kind) {
    case AXIS_SIZE:
    case AXIS_BOUND:
      return axis_size(lowering, declaration->size, what, extent);
    case AXIS_LIKE: {
      global->like = find_global_axis(lowering, global->file, declaration->like.text);
      const struct axis *like = resolve_axis(lowering, declaration->like);
      if (like) *extent = like->extent;
      if (like && global->like) global->root = global->like->root;
      return like != NULL;
    }
    case AXIS_OPEN:
      fail(lowering, declaration->span, "axis '%s' has no size: write 'axis %s = 8', or give one with -D %s=8",
           declaration->name.text, declaration->name.text, declaration->name.text);
      return false;
  }
  return false;
}

enum { DEEPEST_SIZES = 200 };

struct axis *resolve_global_axis(struct lowering *lowering, struct global_axis *global) {
  if (global->stage == AXIS_BEING_SIZED)
    fail(lowering, global->declaration->span, "the size of axis '%s' depends on itself",
         global->declaration->name.text);
  if (global->stage == AXIS_UNKNOWN) {
    global->stage = AXIS_BEING_SIZED;
    struct frame *frame = frame_new(lowering, global->file, NULL, "", (struct span){0}), *before = lowering->frame;
    frame->caller = NULL;
    lowering->frame = frame;
    int64_t extent = 0;
    const bool deep = ++lowering->sizing_depth > DEEPEST_SIZES;
    if (deep)
      fail(lowering, global->declaration->span,
           "axes depend on axes that are declared later, more than %d deep: declare those first", DEEPEST_SIZES);
    const bool known = !deep && size_global_axis(lowering, global, &extent);
    lowering->sizing_depth--;
    lowering->frame = before;
    global->stage = known ? AXIS_KNOWN : AXIS_BROKEN;
    if (known) {
      struct graph scratch = {.arena = lowering->arena, .next_axis = &lowering->program->next_axis};
      global->axis = axis_new(&scratch, global->declaration->name.text, extent, global->declaration->name.span);
    }
  }
  return global->stage == AXIS_KNOWN ? global->axis : NULL;
}

struct axis *global_axis_now(struct lowering *lowering, struct global_axis *global) {
  struct axis *axis = resolve_global_axis(lowering, global);
  if (!axis || !lowering->over || !lowering->window) return axis;
  if (global == lowering->over) return lowering->window_axis;
  if (global->root != lowering->over) return axis;
  struct axis *past = table_find(&lowering->past_axes, axis->name);
  if (!past) {
    past = axis_new_sized(lowering->graph, axis->name, lowering->past, axis->span);
    table_set(lowering->arena, &lowering->past_axes, axis->name, past);
  }
  return past;
}

/* --- Axes made on the way ----------------------------------------------------------------------------------------- */

struct axis *fresh_axis(struct lowering *lowering, const char *name, int64_t extent, const struct size *size,
                        struct span span) {
  struct arena *arena = lowering->arena;
  if (size) return axis_new_sized(lowering->graph, name, size, span);
  const struct frame *frame = lowering->frame;
  const char *where = arena_format(arena, "%s|%s|%s", frame ? frame->path : "", frame ? frame->function : "", name);
  const char *key = arena_format(arena, "%s|%d", where, next_ordinal(lowering, arena_format(arena, "axis %s", where)));
  struct axis *axis = table_find(&lowering->axes, key);
  if (axis && axis->extent == extent) return axis;
  struct graph scratch = {.arena = arena, .next_axis = &lowering->program->next_axis};
  axis = axis_new(&scratch, name, extent, span);
  table_set(arena, &lowering->axes, key, axis);
  return axis;
}

void lower_axis_statement(struct lowering *lowering, const struct ast_axis *declaration) {
  const char *name = declaration->name.text;
  struct scope *scope = lowering->frame->scope;
  struct symbol *before = scope_find(scope, name);
  if (before || is_batch_name(name)) {
    if (before && before->thing.kind == THING_POISON) return;
    fail(lowering, declaration->name.span, "'%s' already names %s", name,
         !before || before->thing.kind == THING_AXIS ? "an axis here" : "a value here");
    if (before) report_note(lowering->diagnostics, before->span, "declared here");
    return;
  }
  struct thing thing = poison();
  int64_t extent;
  switch (declaration->kind) {
    case AXIS_LIKE: {
      const struct axis *like = resolve_axis(lowering, declaration->like);
      if (!like) break;
      const struct size *size = is_window(lowering, like) ? lowering->past : like->size;
      thing = (struct thing){.kind = THING_AXIS,
                             .axis = fresh_axis(lowering, name, like->extent, size, declaration->name.span)};
      break;
    }
    case AXIS_SIZE:
    case AXIS_BOUND:
      if (axis_size(lowering, declaration->size, arena_format(lowering->arena, "the size of axis '%s'", name), &extent))
        thing = (struct thing){.kind = THING_AXIS,
                               .axis = fresh_axis(lowering, name, extent, NULL, declaration->name.span)};
      break;
    case AXIS_OPEN:
      fail(lowering, declaration->span, "axis '%s' has no size: write 'axis %s = 8' or 'axis %s == other'", name, name,
           name);
  }
  scope_declare(lowering, scope, name, thing, declaration->name.span);
}

/* --- Looking axes up ---------------------------------------------------------------------------------------------- */

struct axis *find_axis(struct lowering *lowering, const char *name) {
  const struct symbol *symbol = scope_find(lowering->frame->scope, name);
  if (symbol) return symbol->thing.kind == THING_AXIS ? symbol->thing.axis : NULL;
  struct global_axis *global = find_global_axis(lowering, lowering->frame->file, name);
  if (global) return global_axis_now(lowering, global);
  if (!is_batch_name(name)) return NULL;
  lowering->names_batch = true;
  return lowering->batch;
}

/* The same as find_axis, but sizes no axis: while an error is worded, it must not report that an axis depends on
   itself. */
static bool names_axis(struct lowering *lowering, const char *name) {
  const struct symbol *symbol = scope_find(lowering->frame->scope, name);
  if (symbol) return symbol->thing.kind == THING_AXIS;
  return find_global_axis(lowering, lowering->frame->file, name) || (lowering->batch && is_batch_name(name));
}

struct axis *resolve_axis(struct lowering *lowering, struct ast_name name) {
  const struct symbol *symbol = scope_find(lowering->frame->scope, name.text);
  if (symbol && symbol->thing.kind == THING_POISON) return NULL;
  if (symbol && symbol->thing.kind != THING_AXIS) {
    fail(lowering, name.span, "'%s' is a value, and an axis is expected here", name.text);
    return NULL;
  }
  struct axis *axis = find_axis(lowering, name.text);
  if (axis) return axis;
  const struct global_axis *global = find_global_axis(lowering, lowering->frame->file, name.text);
  if (global) return NULL; /* its size is wrong, and that was reported */
  names candidates = {0};
  collect_visible_names(lowering, &candidates);
  names axes = {0};
  for (int i = 0; i < candidates.count; i++)
    if (names_axis(lowering, candidates.items[i])) array_push(lowering->arena, &axes, candidates.items[i]);
  const char *hint = suggestion(lowering, name.text, &axes);
  if (!*hint)
    hint = arena_format(lowering->arena, "; it is declared first, as in 'axis %s = 8' or 'axis %s == other'", name.text,
                        name.text);
  fail(lowering, name.span, "there is no axis '%s' here%s", name.text, hint);
  return NULL;
}

static bool add_factor(struct lowering *lowering, struct product *product, struct axis *axis, struct span span) {
  if (!axis) return false;
  for (int i = 0; i < product->count; i++)
    if (product->factors[i] == axis) {
      fail(lowering, span, "axis '%s' is twice in the product", axis->name);
      return false;
    }
  if (product->count == MAX_AXES) {
    fail(lowering, span, "this product has more than %d axes", MAX_AXES);
    return false;
  }
  product->factors[product->count++] = axis;
  return true;
}

static bool number_factor(struct lowering *lowering, const char *text, struct span span) {
  if (!strcmp(text, "1")) return true;
  fail(lowering, span, "the number %s is no axis: declare one, as in 'axis part = %s'", text, text);
  return false;
}

bool resolve_product(struct lowering *lowering, const struct ast_product *from, struct product *product) {
  *product = (struct product){0};
  bool good = true;
  for (int i = 0; i < from->factors.count; i++) {
    const struct ast_name factor = from->factors.items[i];
    const bool number = *factor.text >= '0' && *factor.text <= '9';
    good &= number ? number_factor(lowering, factor.text, factor.span)
                   : add_factor(lowering, product, resolve_axis(lowering, factor), factor.span);
  }
  return good && check_size(lowering, from->span, (double)product_extent(product), "the size of a product of axes",
                            &(int64_t){0});
}

bool is_axis_expression(struct lowering *lowering, const struct ast_expression *expression) {
  switch (expression->kind) {
    case AST_PATH:
      return expression->path.parts.count == 1 && find_axis(lowering, expression->path.text);
    case AST_BINARY:
      return !strcmp(expression->op, "*") &&
             (is_axis_expression(lowering, expression->left) || expression->left->kind == AST_NUMBER) &&
             (is_axis_expression(lowering, expression->right) || expression->right->kind == AST_NUMBER);
    case AST_NUMBER:
    case AST_STRING:
    case AST_CALL:
    case AST_TUPLE:
    case AST_UNARY:
    case AST_CONTRACT:
    case AST_VIEW:
      return false;
  }
  return false;
}

static bool add_factors(struct lowering *lowering, const struct ast_expression *expression, struct product *product) {
  switch (expression->kind) {
    case AST_PATH:
      if (expression->path.parts.count == 1)
        return add_factor(lowering, product, resolve_axis(lowering, expression->path.parts.items[0]), expression->span);
      break;
    case AST_NUMBER:
      return number_factor(lowering, arena_format(lowering->arena, "%.10g", expression->number), expression->span);
    case AST_BINARY:
      if (!strcmp(expression->op, "*")) {
        const bool left = add_factors(lowering, expression->left, product);
        return add_factors(lowering, expression->right, product) && left;
      }
      break;
    case AST_STRING:
    case AST_CALL:
    case AST_TUPLE:
    case AST_UNARY:
    case AST_CONTRACT:
    case AST_VIEW:
      break;
  }
  fail(lowering, expression->span, "an axis or a product of axes is expected here");
  return false;
}

bool resolve_product_expression(struct lowering *lowering, const struct ast_expression *expression,
                                struct product *product) {
  *product = (struct product){0};
  return add_factors(lowering, expression, product) &&
         check_size(lowering, expression->span, (double)product_extent(product), "the size of a product of axes",
                    &(int64_t){0});
}

const char *product_text(struct lowering *lowering, const struct product *product) {
  const char *text = "";
  for (int i = 0; i < product->count; i++)
    text = arena_format(lowering->arena, "%s%s%s=%lld", text, i ? " * " : "", product->factors[i]->name,
                        (long long)product->factors[i]->extent);
  return product->count ? text : "1";
}

int64_t product_extent(const struct product *product) {
  int64_t extent = 1;
  for (int i = 0; i < product->count; i++) {
    if (extent > INT32_MAX) return extent; /* too large already, which the caller reports */
    extent *= product->factors[i]->extent;
  }
  return extent;
}

const char *product_name(struct lowering *lowering, const struct product *product) {
  const char *name = "";
  for (int i = 0; i < product->count; i++)
    name = arena_format(lowering->arena, "%s%s%s", name, i ? "_" : "", product->factors[i]->name);
  return product->count ? name : "one";
}

const char *shape_text(struct lowering *lowering, const struct value *value) {
  return list_text(lowering, value->axes, value->axis_count);
}

const char *list_text(struct lowering *lowering, struct axis *const *axes, int count) {
  const char *text = "";
  for (int i = 0; i < count; i++) {
    const struct axis *axis = axes[i];
    for (int j = 0; j < i; j++) /* the longer form distinguishes axes of the same name */
      if (!strcmp(axes[j]->name, axis->name)) return axes_text(lowering->arena, axes, count, true);
    text = arena_format(lowering->arena, "%s%s%s", text, i ? ", " : "", axis->name);
    if (axis != lowering->batch) text = arena_format(lowering->arena, "%s=%lld", text, (long long)axis->extent);
  }
  return count ? arena_format(lowering->arena, "[%s]", text) : "no axes";
}

/* --- The law of generation ---------------------------------------------------------------------------------------- */

bool is_window(const struct lowering *lowering, const struct axis *axis) {
  return lowering->window && axis->size == lowering->window;
}
bool is_past(const struct lowering *lowering, const struct axis *axis) {
  return lowering->past && axis->size == lowering->past;
}

bool breaks_window_law(struct lowering *lowering, struct span span, const struct axis *axis, const char *what) {
  if (is_window(lowering, axis)) {
    fail(lowering, span,
         "%s axis '%s' is an error in generate: a step sees only a window of '%s', so this could not give what the "
         "whole gives. "
         "Mix over rows so far through cached(x[%s -> past]), with 'axis past == %s'",
         what, axis->name, axis->name, axis->name, axis->name);
    return true;
  }
  return false;
}
