/* Kernels as tasks: the function of one iteration of a parallel loop, and the loop where it is called. */
#include "codegen/c_writer.h"

static const struct statement *loop_of(const struct function *function) {
  int count = function->body.statements.count;
  const struct statement *last = count ? function->body.statements.items[count - 1] : NULL;
  return last && last->kind == STATEMENT_LOOP && last->loop == LOOP_PARALLEL && last->step <= 1 ? last : NULL;
}

/* The body of one task: the numbers computed before the loop, then the loop's body. */
static struct block block_of(struct arena *arena, const struct function *function) {
  const struct statement *loop = loop_of(function);
  struct block block = {0};
  for (int i = 0; i + 1 < function->body.statements.count; i++)
    array_push(arena, &block.statements, function->body.statements.items[i]);
  for (int i = 0; i < loop->body.statements.count; i++)
    array_push(arena, &block.statements, loop->body.statements.items[i]);
  return block;
}

static bool is_number_of(const struct function *function, const struct variable *variable) {
  for (int i = 0; i < function->parameters.count; i++)
    if (function->parameters.items[i].variable == variable) return true;
  return false;
}

/* Whether the caller can compute the expression from its arguments. */
static bool is_known(const struct function *function, const struct expression *x) {
  if (x->kind == EXPRESSION_VARIABLE && !is_number_of(function, x->variable)) return false;
  if (x->kind != EXPRESSION_VARIABLE && x->kind != EXPRESSION_NUMBER && x->kind != EXPRESSION_APPLY) return false;
  for (int i = 0; i < x->argument_count; i++)
    if (!is_known(function, x->arguments[i])) return false;
  return true;
}

bool c_is_task(const struct function *function) {
  const struct statement *loop = loop_of(function);
  if (!loop || function->is_helper || !is_known(function, loop->extent)) return false;
  for (int i = 0; i + 1 < function->body.statements.count; i++)
    if (function->body.statements.items[i]->kind != STATEMENT_LET) return false;
  return true;
}

bool c_make_task(struct function *function) {
  int count = function->body.statements.count;
  struct statement *last = count ? function->body.statements.items[count - 1] : NULL;
  if (!last || last->kind != STATEMENT_LOOP || last->loop != LOOP_SERIAL || function->is_helper) return false;
  bool loops = false;
  for (int i = 0; i < last->body.statements.count; i++) {
    const struct statement *s = last->body.statements.items[i];
    loops = loops || (s->kind == STATEMENT_LOOP && s->loop == LOOP_SERIAL);
    if (s->kind == STATEMENT_LOOP && s->loop == LOOP_PARALLEL) return false;
  }
  if (!loops) return false; /* the call would cost more than such a task */
  last->loop = LOOP_PARALLEL;
  if (c_is_task(function)) return true;
  last->loop = LOOP_SERIAL;
  return false;
}

int64_t c_take_task_count(struct arena *arena, struct function *function) {
  if (!c_is_task(function)) return 0;
  struct statement *loop = function->body.statements.items[function->body.statements.count - 1];
  int64_t count;
  if (!is_literal(loop->extent, &count) || count < 1) return 0;
  loop->extent = expression_variable(arena, function_add_number(arena, function, "tasks", TYPE_INDEX));
  return count;
}

static struct free_names names_of(struct arena *arena, const struct function *function) {
  struct block block = block_of(arena, function);
  struct free_names names = {0};
  block_free_names(arena, &block, &names);
  return names;
}

static bool has_name(const struct free_names *names, const struct parameter *parameter) {
  for (int i = 0; i < names->arrays.count && parameter->array; i++)
    if (names->arrays.items[i] == parameter->array) return true;
  for (int i = 0; i < names->variables.count && parameter->variable; i++)
    if (names->variables.items[i] == parameter->variable) return true;
  return false;
}

const bool *c_task_takes(struct arena *arena, const struct function *function) {
  struct arena *scratch = arena_new();
  struct free_names names = names_of(scratch, function);
  bool *takes = arena_new_array(arena, bool, function->parameters.count);
  for (int i = 0; i < function->parameters.count; i++) takes[i] = has_name(&names, &function->parameters.items[i]);
  arena_free(scratch);
  return takes;
}

const char *c_print_task(struct c_printer *printer, const struct function *function, bool internal) {
  struct arena *arena = printer->arena;
  struct writer writer = writer_new(printer, function);
  struct free_names names = names_of(arena, function);
  const char *parameters = "", *comment = function->comment ? function->comment : "";
  for (int i = 0; i < function->parameters.count; i++) {
    if (!has_name(&names, &function->parameters.items[i])) continue;
    parameters = arena_format(arena, "%s%s, ", parameters, writer_parameter(&writer, &function->parameters.items[i]));
  }
  const struct parameter number = {.variable = loop_of(function)->variable};
  parameters = arena_format(arena, "%s%s)", parameters, writer_parameter(&writer, &number));
  struct block block = block_of(arena, function);
  writer.in_parallel = true;
  const char *body = writer_body(&writer, &block),
             *beginning = writer_beginning(&writer, c_identifier(printer, function->name), internal);
  writer_function(&writer, arena_format(arena, "%s%s", beginning, parameters), body);
  c_print_comment(printer, function);
  text_raw(printer->text, text_string(writer.text));
  return arena_format(arena, "%s\n%s\n%s", comment, parameters, body);
}

struct c_argument c_task_count(struct c_printer *printer, const struct function *function,
                               const struct c_argument *arguments) {
  struct writer writer = writer_new(printer, function);
  for (int i = 0; i < function->parameters.count; i++) {
    const struct variable *variable = function->parameters.items[i].variable;
    if (!variable) continue;
    const struct c_argument *argument = &arguments[i];
    struct binding binding = {
        .variable = variable, .kind = BINDING_NAME, .name = piece_text(printer->arena, argument->piece, BINDS_UNARY)};
    if (argument->is_number)
      binding.kind = BINDING_VALUE, binding.expression = expression_index(printer->arena, argument->number);
    writer_bind(&writer, binding);
  }
  const struct expression *count = writer_resolve(&writer, loop_of(function)->extent);
  struct c_argument result = {.piece = scalar_piece(&writer, count)};
  result.is_number = is_literal(count, &result.number);
  return result;
}

const char *c_task_loop(struct c_printer *printer, const char *count, bool in_order) {
  const char *word = printer->dialect->constructs[in_order ? CONSTRUCT_EACH : CONSTRUCT_TASKS];
  uses_add(printer->arena, &printer->uses, word);
  return arena_format(printer->arena, "%s(%s)", word, count);
}
