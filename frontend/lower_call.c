/* Calls of the spec's functions: arguments meet parameters, axes change names at the border, the body is inlined. */
#include "frontend/lower.h"

#include <string.h>

/* --- The border of a call ----------------------------------------------------------------------------------------- */

static bool same_product(const struct product *x, const struct product *y) {
  if (x->count != y->count) return false;
  for (int i = 0; i < x->count; i++)
    if (x->factors[i] != y->factors[i]) return false;
  return true;
}

static bool names_formal(const struct ast_signature *signature, const char *name) {
  if (!signature) return false;
  for (int i = 0; i < signature->dims.count; i++)
    for (int j = 0; j < signature->dims.items[i].factors.count; j++)
      if (!strcmp(signature->dims.items[i].factors.items[j].text, name)) return true;
  return false;
}

struct value *enter_frame(struct lowering *lowering, const struct frame *frame, const struct ast_signature *signature,
                          struct value *value) {
  for (int i = 0; i < frame->formal_count; i++) {
    const struct formal *formal = &frame->formals[i];
    const bool named_here = names_formal(signature, formal->name);
    bool named_elsewhere = false, present = formal->actual.count > 0 || named_here;
    for (int j = 0; j < frame->formal_count; j++)
      named_elsewhere |=
          same_product(&frame->formals[j].actual, &formal->actual) && names_formal(signature, frame->formals[j].name);
    if (formal->alias || (named_elsewhere && !named_here)) continue;
    for (int j = 0; j < formal->actual.count; j++) present &= value_has_axis(value, formal->actual.factors[j]);
    if (!present || value_has_axis(value, formal->axis)) continue;
    struct product inside = {.factors = {formal->axis}, .count = 1};
    value = apply_rename(lowering, value, &formal->actual, &inside, frame->call);
    if (!value) return NULL;
  }
  return value;
}

struct value *leave_frame(struct lowering *lowering, const struct frame *frame, struct value *value, struct span span) {
  for (int i = 0; i < frame->formal_count; i++) {
    const struct formal *formal = &frame->formals[i];
    if (formal->alias || !value_has_axis(value, formal->axis)) continue;
    for (int j = 0; j < formal->actual.count; j++)
      if (value_has_axis(value, formal->actual.factors[j])) {
        fail(lowering, span, "axis '%s' would come twice: '%s' stands for it inside %s, and the value has %s",
             formal->actual.factors[j]->name, formal->name, *frame->function ? frame->function : "the call",
             shape_text(lowering, value));
        return NULL;
      }
    struct product inside = {.factors = {formal->axis}, .count = 1};
    value = apply_rename(lowering, value, &inside, &formal->actual, span);
    if (!value) return NULL;
  }
  return value;
}

bool check_signature(struct lowering *lowering, const struct ast_signature *signature, struct thing thing,
                     const char *what, struct span span) {
  if (thing.kind == THING_POISON || thing.kind == THING_NONE) return thing.kind == THING_NONE;
  if (!signature->has_dims && !signature->range.text && !signature->type.text) return true;
  const struct value *value = as_value(lowering, thing, span);
  if (!value) return false;
  for (int i = 0; i < signature->dims.count; i++) {
    struct product product;
    if (!resolve_product(lowering, &signature->dims.items[i], &product)) return false;
    for (int j = 0; j < product.count; j++)
      if (!value_has_axis(value, product.factors[j])) {
        fail(lowering, span, "%s '%s' must have axis %s=%lld, and has %s", what, signature->name.text,
             product.factors[j]->name, (long long)product.factors[j]->extent, shape_text(lowering, value));
        return false;
      }
  }
  const char *type = signature->type.text;
  enum kind kind = value->kind;
  if (signature->range.text || (type && (!strcmp(type, "int") || !strcmp(type, "integer"))))
    kind = KIND_INTEGER;
  else if (type && (!strcmp(type, "bool") || !strcmp(type, "boolean")))
    kind = KIND_BOOLEAN;
  else if (type && !strcmp(type, "real"))
    kind = KIND_REAL;
  else if (type)
    fail(lowering, signature->type.span, "'%s' is no kind: a value is real, int or bool", type);
  if (kind == value->kind) return true;
  fail(lowering, span, "%s '%s' must be %s, and is %s", what, signature->name.text, kind_names[kind],
       kind_names[value->kind]);
  return false;
}

/* --- Matching arguments to parameters ----------------------------------------------------------------------------- */

/* A slot for each parameter, and after those one for each axis of `over`. */
struct slot {
  const char *name;
  const struct ast_parameter *parameter; /* NULL: the slot is for an axis of `over` */
  bool is_axis, given;
  struct span span;
  struct thing thing;
  struct product product;
};

struct matching {
  const struct ast_item *function;
  struct slot *slots;
  int count;
  bool broken;
};

static void bind(struct lowering *lowering, struct matching *matching, struct slot *slot,
                 const struct ast_argument *argument) {
  if (slot->given) {
    fail(lowering, argument->span, "'%s' is given twice", slot->name);
    matching->broken = true;
    return;
  }
  slot->given = true;
  slot->span = argument->span;
  bool good = true;
  if (slot->is_axis) {
    good = argument->is_axis ? resolve_product(lowering, &argument->axis, &slot->product)
                             : resolve_product_expression(lowering, argument->value, &slot->product);
  } else if (argument->is_axis) {
    good = refuse(lowering, argument->span, "'%s' of %s is a value, and an axis is given", slot->name,
                  matching->function->name.text);
  } else {
    slot->thing = single(lowering, evaluate(lowering, argument->value), argument->value->span);
    if (slot->thing.kind == THING_AXIS)
      good = refuse(lowering, argument->span, "'%s' of %s is a value, and '%s' is an axis", slot->name,
                    matching->function->name.text, slot->thing.axis->name);
  }
  if (!good) matching->broken = true;
}

static struct slot *next_slot(struct lowering *lowering, struct matching *matching,
                              const struct ast_expression *value) {
  const bool axis = is_axis_expression(lowering, value);
  for (int i = 0; i < matching->count; i++) {
    struct slot *slot = &matching->slots[i];
    if (slot->given) continue;
    if (slot->is_axis ? axis || value->kind == AST_NUMBER : !axis) return slot;
  }
  return NULL;
}

static struct slot *named_slot(struct matching *matching, const char *name) {
  for (int i = 0; i < matching->count; i++)
    if (!strcmp(matching->slots[i].name, name)) return &matching->slots[i];
  return NULL;
}

static const char *usage(struct lowering *lowering, const struct ast_item *function) {
  const char *text = arena_format(lowering->arena, "%s(", function->name.text);
  for (int i = 0; i < function->parameters.count; i++) {
    const struct ast_parameter *parameter = &function->parameters.items[i];
    text = arena_format(lowering->arena, "%s%s%s%s%s", text, i ? ", " : "",
                        parameter->kind == PARAMETER_AXIS ? "axis " : "", parameter->signature.name.text,
                        parameter->kind == PARAMETER_DEFAULT ? " = ..." : "");
  }
  return arena_format(lowering->arena, "%s)", text);
}

static void match_arguments(struct lowering *lowering, struct matching *matching, const struct ast_expression *call) {
  for (int i = 0; i < call->arguments.count; i++) {
    const struct ast_argument *argument = &call->arguments.items[i];
    struct slot *slot = argument->name.parts.count ? named_slot(matching, argument->name.text)
                                                   : next_slot(lowering, matching, argument->value);
    if (slot) {
      bind(lowering, matching, slot, argument);
      continue;
    }
    matching->broken = true;
    if (argument->name.parts.count) {
      names candidates = {0};
      for (int j = 0; j < matching->count; j++) array_push(lowering->arena, &candidates, matching->slots[j].name);
      const char *hint = suggestion(lowering, argument->name.text, &candidates);
      fail(lowering, argument->name.span, "%s has no parameter '%s'%s%s", matching->function->name.text,
           argument->name.text, *hint ? hint : ": it is ", *hint ? "" : usage(lowering, matching->function));
    } else {
      fail(lowering, argument->span, "%s does not take %s here: it is %s", matching->function->name.text,
           is_axis_expression(lowering, argument->value) ? "an axis" : "a value", usage(lowering, matching->function));
    }
  }
}

/* Fills in axes that were not given: by their defaults, or for `over` by the caller's axis of the same name. */
static void default_axes(struct lowering *lowering, struct matching *matching, const struct ast_expression *call) {
  for (int i = 0; i < matching->count; i++) {
    struct slot *slot = &matching->slots[i];
    if (!slot->is_axis || slot->given) continue;
    const char *name = slot->parameter ? slot->parameter->axis_default.text : slot->name;
    const struct slot *other = name && slot->parameter ? named_slot(matching, name) : NULL;
    struct axis *axis = name && !other ? find_axis(lowering, name) : NULL;
    if (other && other != slot && other->is_axis && other->given)
      slot->product = other->product;
    else if (axis)
      slot->product = (struct product){.factors = {axis}, .count = 1};
    else if (!name)
      matching->broken = true, fail(lowering, call->span, "%s needs axis '%s': %s", matching->function->name.text,
                                    slot->name, usage(lowering, matching->function));
    else
      matching->broken = true,
      fail(lowering, call->span,
           "%s works over axis '%s', and there is none of that name here; give one, as in %s(..., %s = other)",
           matching->function->name.text, slot->name, matching->function->name.text, slot->name);
    slot->given = true;
  }
}

/* Whether an axis parameter can be the actual axis itself, since nobody could tell it from one of its own. That saves
   renames at the border. */
static bool may_alias(struct lowering *lowering, const struct matching *matching, const struct slot *slot,
                      const struct file *file) {
  if (slot->product.count != 1) return false;
  struct axis *axis = slot->product.factors[0];
  for (int i = 0; i < matching->count; i++) {
    const struct slot *other = &matching->slots[i];
    for (int j = 0; other != slot && other->is_axis && j < other->product.count; j++)
      if (other->product.factors[j] == axis) return false;
  }
  if (axis == lowering->batch) return false;
  if (!strcmp(axis->name, slot->name)) return true;
  struct global_axis *global = find_global_axis(lowering, file, axis->name);
  return !global || global_axis_now(lowering, global) != axis;
}

static void make_formals(struct lowering *lowering, struct frame *frame, const struct matching *matching) {
  frame->formals = arena_new_array(lowering->arena, struct formal, matching->count);
  for (int i = 0; i < matching->count; i++) {
    const struct slot *slot = &matching->slots[i];
    if (!slot->is_axis) continue;
    struct formal formal = {.name = slot->name, .actual = slot->product};
    formal.alias = may_alias(lowering, matching, slot, frame->file);
    const struct size *size = slot->product.count == 1 ? slot->product.factors[0]->size : NULL;
    formal.axis = formal.alias ? slot->product.factors[0]
                               : fresh_axis(lowering, slot->name, product_extent(&slot->product), size,
                                            slot->parameter ? slot->parameter->span : frame->item->name.span);
    frame->formals[frame->formal_count++] = formal;
    scope_declare(lowering, frame->scope, slot->name, (struct thing){.kind = THING_AXIS, .axis = formal.axis},
                  slot->span);
  }
}

/* Passes arguments into the frame, which has been entered. */
static void pass_values(struct lowering *lowering, struct frame *frame, struct matching *matching) {
  for (int i = 0; i < matching->count; i++) {
    struct slot *slot = &matching->slots[i];
    if (slot->is_axis) continue;
    const struct ast_signature *signature = &slot->parameter->signature;
    if (slot->given && slot->thing.kind == THING_VALUE)
      slot->thing = thing_value(enter_frame(lowering, frame, signature, slot->thing.value));
    if (slot->given && slot->parameter->kind == PARAMETER_VALUE &&
        !check_signature(lowering, signature, slot->thing, "argument", slot->span))
      slot->thing = poison();
    if (!slot->given)
      slot->thing = single(lowering, evaluate(lowering, slot->parameter->initial), slot->parameter->initial->span);
    scope_declare(lowering, frame->scope, slot->name, slot->thing, slot->parameter->span);
  }
}

bool distinct_parameters(struct lowering *lowering, const struct ast_item *item) {
  const int own = item->parameters.count;
  for (int i = 0; i < own + item->over.count; i++)
    for (int j = 0; j < i; j++) {
      const struct ast_name name = i < own ? item->parameters.items[i].signature.name : item->over.items[i - own];
      const struct ast_name before = j < own ? item->parameters.items[j].signature.name : item->over.items[j - own];
      if (strcmp(name.text, before.text)) continue;
      fail(lowering, name.span, "two parameters of %s are called '%s'", item->name.text, name.text);
      report_note(lowering->diagnostics, before.span, "this is the first");
      return false;
    }
  return true;
}

/* --- The call ----------------------------------------------------------------------------------------------------- */

/* A result that the spec does not name is called after its call: by the call's label or, without one, by the function's
   name. One that the function only passes on is not its own. */
static void name_after_call(struct lowering *lowering, const struct frame *frame, struct value *value) {
  const bool own = value->origin.function == frame->function && value->origin.path == frame->path;
  if (!own || value->name || value->call || op_facts[value->op].class == CLASS_LEAF) return;
  const bool labelled = frame->path != frame->caller->path;
  value->call = labelled ? frame->path : join_path(lowering->arena, frame->path, frame->function);
}

/* The same for the values that a built-in function was lowered to, where these are several. */
static void name_after_builtin(struct lowering *lowering, const struct ast_expression *call, const struct value *result,
                               int first) {
  const char *path = join_path(lowering->arena, lowering->frame->path, call->path.text);
  int own = 0;
  for (int turn = 0; turn < 2; turn++)
    for (int i = first; i < lowering->graph->values.count; i++) {
      struct value *value = lowering->graph->values.items[i];
      const bool made_here = value->origin.span.begin == call->span.begin && value->origin.span.end == call->span.end;
      if (!made_here || value->name || value->call || op_facts[value->op].class == CLASS_LEAF) continue;
      if (turn == 0)
        own += op_facts[value->op].class != CLASS_VIEW;
      else if (own > 1)
        value->call = value == result ? path : arena_format(lowering->arena, "%s_%s", path, op_facts[value->op].noun);
    }
}

static struct thing take_results(struct lowering *lowering, struct frame *frame, const struct ast_expression *call,
                                 int errors) {
  const struct ast_item *function = frame->item;
  if (!frame->returned) {
    if (lowering->diagnostics->error_count > errors) return poison(); /* an error may be the reason */
    return fail(lowering, call->span, "%s returned nothing", function->name.text);
  }
  if (function->has_results && function->results.count != frame->results.count) {
    for (int i = 0; i < frame->results.count; i++)
      if (frame->results.items[i].kind == THING_POISON) return poison();
    return fail(lowering, frame->returned->span, "%s declares %d results and returns %d", function->name.text,
                function->results.count, frame->results.count);
  }
  for (int i = 0; i < frame->results.count; i++) {
    struct thing *result = &frame->results.items[i];
    if (function->has_results &&
        !check_signature(lowering, &function->results.items[i], *result, "result", frame->returned->span))
      *result = poison();
    if (result->kind == THING_AXIS)
      *result =
          fail(lowering, frame->returned->span, "a function returns values, and '%s' is an axis", result->axis->name);
    if (result->kind == THING_VALUE) name_after_call(lowering, frame, result->value);
    if (result->kind == THING_VALUE) *result = thing_value(leave_frame(lowering, frame, result->value, frame->call));
  }
  if (frame->results.count == 1) return frame->results.items[0];
  return (struct thing){.kind = THING_TUPLE, .items = frame->results.items, .item_count = frame->results.count};
}

static struct thing call_function(struct lowering *lowering, const struct ast_item *function, const struct file *file,
                                  const struct ast_expression *call) {
  if (lowering->depth >= MAX_CALL_DEPTH)
    return fail(lowering, call->span, "calls are nested more than %d deep; does %s call itself?", MAX_CALL_DEPTH,
                function->name.text);
  if (!distinct_parameters(lowering, function)) return poison();
  struct matching matching = {.function = function, .count = function->parameters.count + function->over.count};
  matching.slots = arena_new_array(lowering->arena, struct slot, matching.count);
  for (int i = 0; i < matching.count; i++) {
    const int over = i - function->parameters.count;
    const struct ast_parameter *parameter = over < 0 ? &function->parameters.items[i] : NULL;
    matching.slots[i] =
        (struct slot){.name = parameter ? parameter->signature.name.text : function->over.items[over].text,
                      .parameter = parameter,
                      .is_axis = !parameter || parameter->kind == PARAMETER_AXIS,
                      .span = call->span};
  }
  match_arguments(lowering, &matching, call);
  default_axes(lowering, &matching, call);
  for (int i = 0; i < matching.count; i++)
    if (!matching.slots[i].given && matching.slots[i].parameter->kind == PARAMETER_VALUE) {
      if (!matching.broken)
        fail(lowering, call->span, "%s needs '%s': %s", function->name.text, matching.slots[i].name,
             usage(lowering, function));
      matching.broken = true;
    }
  if (matching.broken) return poison();

  const char *path = call->label.parts.count ? join_path(lowering->arena, lowering->frame->path, call->label.text)
                                             : lowering->frame->path;
  struct frame *caller = lowering->frame, *frame = frame_new(lowering, file, function, path, call->span);
  const bool sizes = lowering->sizes;
  const int errors = lowering->diagnostics->error_count;
  make_formals(lowering, frame, &matching);
  lowering->frame = frame;
  lowering->depth++;
  lowering->sizes = false;
  pass_values(lowering, frame, &matching);
  if (function->has_gradient && lowering->training)
    lower_region(lowering, frame);
  else
    lower_block(lowering, &function->body);
  const struct thing result = take_results(lowering, frame, call, errors);
  lowering->sizes = sizes;
  lowering->depth--;
  lowering->frame = caller;
  return result;
}

struct thing lower_call(struct lowering *lowering, const struct ast_expression *call) {
  struct thing function;
  if (call->path.parts.count != 1 || !find_function(lowering, call->path.text, &function)) {
    const struct symbol *symbol = scope_find(lowering->frame->scope, call->path.text);
    if (symbol && symbol->thing.kind == THING_POISON) return poison();
    if (symbol || find_global_axis(lowering, lowering->frame->file, call->path.text))
      return fail(lowering, call->path.span, "'%s' is %s and no function", call->path.text,
                  symbol && symbol->thing.kind != THING_AXIS ? "a value" : "an axis");
    names candidates = {0};
    collect_item_names(lowering, lowering->frame->file, ITEM_FUNCTION, &candidates);
    collect_builtin_names(lowering, &candidates);
    const char *hint = suggestion(lowering, call->path.text, &candidates);
    if (!*hint && lowering->files.count == 1)
      hint = "; those of the standard library need 'use \"std/transformer.lam\"'";
    return fail(lowering, call->path.span, "there is no function '%s'%s", call->path.text, hint);
  }
  if (function.kind == THING_POISON) return poison();
  if (function.builtin) {
    const int first = lowering->graph ? lowering->graph->values.count : 0;
    const struct thing result = function.builtin->lower(lowering, function.builtin, call);
    if (result.kind == THING_VALUE && lowering->graph) name_after_builtin(lowering, call, result.value, first);
    return result;
  }
  return call_function(lowering, function.function, function.file, call);
}
