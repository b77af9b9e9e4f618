/* Finds loops that can be printed better than statement by statement. They are recognised by their shape, so that
   schedules can remain plain loops whose meaning is easy to see. */
#include "codegen/c_writer.h"

enum { WORD_BITS = 32 };

/* The copy target[k * target_row + lane * group + j] = source[lane * source_row + k + j] for j < group, the elements of a word; k goes by
   whole groups. */
struct transpose {
  const struct array *source, *target;
  const struct expression *source_base, *target_base;
  int64_t source_row, target_row, group;
};

/* x less its multiple of the variable, whose coefficient must be known; else NULL. */
static const struct expression *without(struct writer *writer, const struct expression *x,
                                        const struct variable *variable, int64_t *coefficient) {
  if (!expression_coefficient(x, variable, coefficient)) return NULL;
  const struct expression *part =
      index_multiply(writer->arena, expression_variable(writer->arena, variable), *coefficient);
  const struct expression *rest = expression_apply(writer->arena, OP_sub, x, part, NULL);
  return expression_uses(rest, variable) ? NULL : rest;
}

static bool match_transpose(struct writer *writer, const struct statement *vector, const struct variable *k,
                            struct transpose *t) {
  const struct variable *within = NULL; /* a group */
  t->group = 1;
  if (vector->kind == STATEMENT_LOOP && vector->loop == LOOP_UNROLLED && vector->body.statements.count == 1 &&
      is_literal(writer_resolve(writer, vector->extent), &t->group)) {
    within = vector->variable, vector = vector->body.statements.items[0];
    writer_bind(writer, (struct binding){.variable = within, .kind = BINDING_NAME});
    if (vector->variable) writer_bind(writer, (struct binding){.variable = vector->variable, .kind = BINDING_LANE});
  }
  if (vector->kind != STATEMENT_LOOP || vector->loop != LOOP_VECTOR || vector->body.statements.count != 1) return false;
  const struct statement *s = vector->body.statements.items[0];
  if (s->kind != STATEMENT_STORE || s->expression->kind != EXPRESSION_LOAD) return false;
  t->source = s->expression->array, t->target = s->array;
  if (t->source->storage != t->target->storage || storage_facts[t->source->storage].bits * t->group != WORD_BITS)
    return false;
  if (!within && t->source->storage != STORAGE_REAL) return false;
  if (t->source == t->target || writer_find_array(writer, t->source)->vectors ||
      writer_find_array(writer, t->target)->vectors)
    return false;
  const struct expression *from = writer_resolve(writer, s->expression->arguments[0]),
                          *to = writer_resolve(writer, s->index);
  int64_t from_k, to_lane, from_within = 1, to_within = 1;
  from = without(writer, from, vector->variable, &t->source_row);
  to = without(writer, to, vector->variable, &to_lane);
  if (from) from = without(writer, from, k, &from_k);
  if (to) to = without(writer, to, k, &t->target_row);
  if (from && within) from = without(writer, from, within, &from_within);
  if (to && within) to = without(writer, to, within, &to_within);
  if (!from || !to || from_k != 1 || to_lane != t->group || from_within != 1 || to_within != 1 ||
      t->source_row < 2 * t->group || t->target_row < writer->target->lanes)
    return false;
  t->source_base = from, t->target_base = to;
  return true;
}

enum { MOST_VECTORS = 8 };

/* Whether all statements of the loop's body are such copies, side by side in the target. */
static bool match_all(struct writer *writer, const struct statement *loop, struct transpose *transposes) {
  writer_bind(writer, (struct binding){.variable = loop->variable, .kind = BINDING_NAME});
  for (int i = 0; i < loop->body.statements.count; i++) {
    const struct statement *s = loop->body.statements.items[i];
    struct transpose *t = &transposes[i];
    if (s->variable) writer_bind(writer, (struct binding){.variable = s->variable, .kind = BINDING_LANE});
    if (!match_transpose(writer, s, loop->variable, t) || t->group != (loop->step > 1 ? loop->step : 1)) return false;
    /* Copies must lie side by side in one row of the target, so that none overwrites another. */
    int64_t apart;
    const struct expression *distance =
        expression_apply(writer->arena, OP_sub, t->target_base, transposes[0].target_base, NULL);
    if (t->target != transposes[0].target || t->target_row != transposes[0].target_row ||
        !is_literal(distance, &apart) || apart != i * t->group * writer->target->lanes ||
        apart + t->group * writer->target->lanes > t->target_row * t->group)
      return false;
  }
  return true;
}

bool print_transpose(struct writer *writer, const struct statement *loop) {
  struct transpose transposes[MOST_VECTORS];
  int count = loop->body.statements.count, visible = writer->bindings.count;
  const enum operation operation = loop->step > 1 ? OPERATION_transpose_words : OPERATION_transpose;
  if (!writer->simd->vector[operation] || loop->loop != LOOP_SERIAL) return false;
  if (count < 1 || count > MOST_VECTORS) return false;
  bool matches = match_all(writer, loop, transposes);
  writer->bindings.count = visible;
  for (int i = 0; i < count && matches; i++) {
    struct transpose *t = &transposes[i];
    const struct piece source = pointer_piece(writer, t->source, t->source_base);
    const struct piece target = pointer_piece(writer, t->target, t->target_base);
    /* Rows of words are counted in bytes: a row of the target has the groups of one step. */
    const int64_t bytes = t->group > 1 ? WORD_BITS / 8 / t->group : 1;
    const struct expression *count = writer_resolve(writer, loop->extent);
    count = expression_apply(writer->arena, OP_quotient, count, expression_index(writer->arena, t->group), NULL);
    const struct piece arguments[5] = {
        source, piece_name(arena_format(writer->arena, "%lld", (long long)(t->source_row * bytes))), target,
        piece_name(arena_format(writer->arena, "%lld", (long long)(t->target_row * t->group * bytes))),
        scalar_piece(writer, count)};
    writer_line(writer, LINE_SIMPLE, "%s;", writer_fill(writer, writer->simd->vector[operation], arguments).text);
  }
  return matches;
}
