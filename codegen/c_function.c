/* Functions and statements as C. */
#include <math.h>
#include <string.h>

#include "codegen/c_writer.h"

/* --- Prototypes ------------------------------------------------------------------------------------------------------------------- */

const char *writer_parameter(struct writer *writer, const struct parameter *parameter) {
  struct arena *arena = writer->arena;
  const char *name = writer_declare(writer, parameter->array ? parameter->array->name : parameter->variable->name);
  if (!parameter->array) {
    writer_bind(writer, (struct binding){.variable = parameter->variable, .kind = BINDING_NAME, .name = name});
    return arena_format(arena, "%s %s", c_type(writer->printer, parameter->variable->type), name);
  }
  const struct array *array = parameter->array;
  array_push(arena, &writer->arrays, (struct array_binding){.array = array, .name = name});
  /* A helper may be given the same array twice, to read and to write, so its pointers are not restrict. */
  return arena_format(arena, "%s%s *%s%s", array->written ? "" : "const ",
                      c_element_type(writer->printer, array->storage),
                      writer->function->is_helper ? "" : writer->dialect->restricted, name);
}

/* The sums of a helper stay in registers only as long as nothing around it needs these, such as the constants of what goes on from the
   sums. */
const char *writer_beginning(struct writer *writer, const char *name, bool internal) {
  const struct dialect *dialect = writer->dialect;
  const bool simd = writer->target->attribute;
  return arena_format(writer->arena, "%s%s%svoid %s(", simd ? dialect->vectorised : "",
                      simd && internal && writer->function->is_helper ? dialect->called : "",
                      internal ? dialect->internal : "", name);
}

/* The function's text up to its body, with the shapes of arrays as comments if wanted. Parameters are declared in the
   writer. */
static const char *head(struct writer *writer, const struct function *function, bool internal, bool comments) {
  const struct dialect *dialect = writer->dialect;
  const char *text = "";
  for (int i = 0; i < function->parameters.count; i++) {
    const struct parameter *parameter = &function->parameters.items[i];
    const char *full = writer_parameter(writer, parameter);
    /* A line cannot be broken before a comment, so a comment that does not fit is left out. */
    size_t before = i ? 4
                      : strlen(internal ? dialect->internal : "") + strlen(function->name) +
                            strlen(dialect->vectorised) + sizeof "void (";
    if (comments && parameter->array && parameter->array->comment) {
      const char *longer = arena_format(writer->arena, "%s /* %s */", full, parameter->array->comment);
      if (before + strlen(longer) + 1 <= TEXT_COLUMNS) full = longer;
    }
    text = arena_format(writer->arena, "%s%s%s", text, i ? ", " : "", full);
  }
  return arena_format(writer->arena, "%s%s)",
                      writer_beginning(writer, c_identifier(writer->printer, function->name), internal),
                      function->parameters.count ? text : "void");
}

/* --- Statements -------------------------------------------------------------------------------------------------------------------- */

static void print_statement(struct writer *writer, const struct statement *s, const struct block *block);
static void print_block(struct writer *writer, const struct block *block);

/* What was declared before a scope; its end forgets all that was declared inside. */
struct scope {
  int bindings, arrays, names;
};

static struct scope scope_open(const struct writer *writer) {
  return (struct scope){writer->bindings.count, writer->arrays.count, writer->names.items.count};
}

static void scope_close(struct writer *writer, struct scope scope) {
  writer->bindings.count = scope.bindings;
  writer->arrays.count = scope.arrays;
  names_cut(&writer->names, scope.names);
}

static const char *resolved_text(struct writer *writer, const struct expression *x) {
  return scalar_text(writer, writer_resolve(writer, x));
}

/* Notes that a statement of several lines has been printed. */
static void end_compound(struct writer *writer) {
  writer->lines = (struct lines){.count = writer->lines.count + 1, .kind = LINE_COMPOUND};
}

/* A loop's head such as "for (int64_t i = 0; i < 12; i++)". Declares the variable. */
static const char *loop_head(struct writer *writer, const struct statement *s) {
  struct piece extent = scalar_piece(writer, writer_resolve(writer, s->extent));
  const char *bound = piece_text(writer->arena, extent, BINDS_SUM);
  const char *name = writer_declare(writer, s->variable->name);
  writer_bind(writer, (struct binding){.variable = s->variable, .kind = BINDING_NAME, .name = name});
  const char *step = s->step > 1 ? arena_format(writer->arena, "%s += %lld", name, (long long)s->step)
                                 : arena_format(writer->arena, "%s++", name);
  return arena_format(writer->arena, "for (%s %s = 0; %s < %s; %s)", c_type(writer->printer, TYPE_INDEX), name, name,
                      bound, step);
}

/* Prints a loop with its body, on one line where the body is one short statement. Prints nothing and returns false
   where the body is empty. `loop` is the head, which may have a macro before it. */
static bool print_loop_body(struct writer *writer, const char *loop, const struct block *block) {
  struct aside outer = writer_begin_aside(writer, writer->text->indentation + 1);
  print_block(writer, block);
  struct aside body = writer_end_aside(writer, outer);
  const struct lines *lines = &body.lines;
  if (!lines->count) return false;
  bool is_one = lines->count == 1 && lines->kind != LINE_DECLARATION;
  size_t column = (size_t)writer->text->indentation * 2;
  if (is_one && lines->kind == LINE_SIMPLE && column + strlen(loop) + 1 + strlen(lines->line) <= TEXT_COLUMNS) {
    writer_line(writer, LINE_COMPOUND, "%s %s", loop, lines->line);
    return true;
  }
  if (is_one)
    text_line(writer->text, "%s", loop);
  else
    text_open(writer->text, "%s", loop);
  text_raw(writer->text, text_string(body.text));
  if (!is_one) text_close(writer->text);
  end_compound(writer);
  return true;
}

/* Unused parameters are marked: all functions of a family take the same ones, and a tile of one row, for example, has
   no use for the distance between rows. */
const char *writer_body(struct writer *writer, const struct block *block) {
  struct text *unused = text_new(writer->arena);
  unused->indentation = 1;
  int parameters = writer->names.items.count;
  struct mark begin = writer_mark(writer);
  struct aside outer = writer_begin_aside(writer, 1);
  print_block(writer, block);
  struct aside body = writer_end_aside(writer, outer);
  for (int i = 0; i < parameters; i++)
    if (!writer_mentions_since(writer, begin, writer->names.items.items[i]))
      text_line(unused, "(void)%s;", writer->names.items.items[i]);
  return arena_format(writer->arena, "%s%s", text_string(unused), text_string(body.text));
}

void writer_function(struct writer *writer, const char *first_line, const char *body) {
  text_open(writer->text, "%s", first_line);
  text_raw(writer->text, body);
  text_close(writer->text);
}

/* The word for a construct; it is recorded, so that the prelude defines it. */
static const char *construct(struct writer *writer, enum construct construct) {
  const char *word = writer->dialect->constructs[construct];
  uses_add(writer->arena, &writer->printer->uses, word);
  return word;
}

/* Compilers may make a function of a parallel loop's body without giving it the target's attribute. Where they do, the
   body is printed as a function of its own here. */
static void print_part(struct writer *writer, const struct statement *s, const char *loop) {
  struct arena *arena = writer->arena;
  struct free_names outside = {0};
  block_free_names(arena, &s->body, &outside);
  const char *number = writer->part_count++ ? arena_format(arena, "_%d", writer->part_count) : "";
  const char *name = arena_format(arena, "%s_part%s", writer->function->name, number);
  struct writer part = *writer;
  part.text = text_new(arena);
  part.lines = (struct lines){0};
  part.own = (struct uses){0};
  part.in_parallel = true;
  part.bindings.items = NULL, part.bindings.count = part.bindings.capacity = 0;
  part.arrays.items = NULL, part.arrays.count = part.arrays.capacity = 0;
  part.names = (struct scope_names){0};
  part.places = (struct pointer_table){0};
  const char *parameters = "", *arguments = "";
  for (int i = 0; i < outside.arrays.count; i++) {
    const struct array *array = outside.arrays.items[i];
    const char *inside = writer_declare(&part, writer_find_array(writer, array)->name);
    const char *constant = array->written ? "" : "const ";
    parameters = arena_format(arena, "%s%s%s%s *%s%s", parameters, *parameters ? ", " : "", constant,
                              c_element_type(writer->printer, array->storage), writer->dialect->restricted, inside);
    arguments = arena_format(arena, "%s%s%s", arguments, *arguments ? ", " : "", writer_array(writer, array));
    array_push(arena, &part.arrays, (struct array_binding){.array = array, .name = inside});
  }
  for (int i = 0; i < outside.variables.count; i++) {
    const struct variable *variable = outside.variables.items[i];
    struct binding binding = *writer_find(writer, variable);
    if (binding.kind == BINDING_NAME) {
      const char *inside = writer_declare(&part, binding.name);
      parameters = arena_format(arena, "%s%s%s %s", parameters, *parameters ? ", " : "",
                                c_type(writer->printer, variable->type), inside);
      arguments =
          arena_format(arena, "%s%s%s", arguments, *arguments ? ", " : "", writer_mention(writer, binding.name));
      binding.name = inside;
    }
    writer_bind(&part, binding);
  }
  const char *first_line =
      arena_format(arena, "%s%s)", writer_beginning(writer, name, true), *parameters ? parameters : "void");
  writer_function(&part, first_line, writer_body(&part, &s->body));
  text_blank(part.text);
  writer->part_count = part.part_count;
  text_raw(writer->parts, text_string(part.text));
  writer_line(writer, LINE_COMPOUND, "%s %s %s(%s);", construct(writer, CONSTRUCT_PARALLEL), loop, name, arguments);
}

/* The compiler unrolls the loop: a loop that asks for this tells a reader more than its copies would. */
static void print_unrolled(struct writer *writer, const struct statement *s) {
  int64_t extent, step = s->step > 1 ? s->step : 1;
  if (!is_literal(writer_resolve(writer, s->extent), &extent))
    bug("%s: the loop over %s is unrolled and has no constant extent", writer->function->name, s->variable->name);
  if (extent <= step) {
    struct binding binding = {
        .variable = s->variable, .kind = BINDING_VALUE, .expression = expression_index(writer->arena, 0)};
    writer_bind(writer, binding);
    if (extent > 0) print_block(writer, &s->body);
    return;
  }
  if (vector_group(writer, s)) return;
  struct scope scope = scope_open(writer);
  struct mark mark = writer_mark(writer);
  const char *unroll = construct(writer, CONSTRUCT_UNROLL);
  const char *loop = arena_format(writer->arena, "%s %s", unroll, loop_head(writer, s));
  if (!print_loop_body(writer, loop, &s->body)) writer_forget(writer, mark, writer_mark(writer));
  scope_close(writer, scope);
}

static void print_plain_loop(struct writer *writer, const struct statement *s) {
  struct scope scope = scope_open(writer);
  struct mark mark = writer_mark(writer);
  const char *loop = loop_head(writer, s);
  bool outermost = s->loop == LOOP_PARALLEL && !writer->in_parallel;
  if (outermost && writer->target->attribute && writer->dialect->has_parts) {
    print_part(writer, s, loop);
  } else {
    if (outermost) loop = arena_format(writer->arena, "%s %s", construct(writer, CONSTRUCT_PARALLEL), loop);
    writer->in_parallel = writer->in_parallel || outermost;
    if (!print_loop_body(writer, loop, &s->body)) writer_forget(writer, mark, writer_mark(writer));
    if (outermost) writer->in_parallel = false;
  }
  scope_close(writer, scope);
}

static void print_loop(struct writer *writer, const struct statement *s) {
  if (s->loop == LOOP_VECTOR && writer->target->simd)
    vector_loop(writer, s);
  else if (s->loop == LOOP_UNROLLED)
    print_unrolled(writer, s);
  else if (!writer->target->simd || !print_transpose(writer, s))
    print_plain_loop(writer, s);
}

/* Whether the block multiplies matrices in the array, whose rows are read faster where they begin with a line of the cache. */
static bool is_multiplied(const struct block *block, const struct array *array) {
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *s = block->statements.items[i];
    for (int j = 0; s->kind == STATEMENT_MULTIPLY && j < s->arguments.count; j++)
      if (s->arguments.items[j].array == array) return true;
    if (is_multiplied(&s->body, array)) return true;
  }
  return false;
}

/* Binds the array to a new name, and returns the type to declare it with. */
static const char *bind_array(struct writer *writer, const struct array *array, const struct block *block) {
  const char *name = writer_declare(writer, array->name);
  struct array_binding binding = {
      .array = array, .name = name, .vectors = array_is_vectors(writer->target, block, array)};
  int64_t count = array->count / (binding.vectors ? writer->target->lanes : 1);
  binding.single = binding.vectors ? count == 1 : array_is_number(block, array);
  array_push(writer->arena, &writer->arrays, binding);
  const char *element = c_element_type(writer->printer, array->storage);
  if (!binding.vectors && array->memory == MEMORY_STACK && is_multiplied(block, array))
    return arena_format(writer->arena, "%s%s", writer->dialect->aligned, element);
  if (!binding.vectors) return element;
  enum operation row = array->type == TYPE_REAL      ? OPERATION_real_type
                       : array->type == TYPE_BOOLEAN ? OPERATION_mask_type
                                                     : OPERATION_int_type;
  return template_text(writer->simd->vector[row]);
}

static void print_array(struct writer *writer, const struct array *array, const char *type) {
  const struct array_binding *binding = writer_find_array(writer, array);
  int64_t count = array->count / (binding->vectors ? writer->target->lanes : 1);
  if (binding->single)
    writer_line(writer, LINE_DECLARATION, "%s %s;", type, binding->name);
  else
    writer_line(writer, LINE_DECLARATION, "%s %s[%lld];", type, binding->name, (long long)count);
}

/* Whether the expression is printed just as the element at that place. */
static bool is_element(struct writer *writer, const struct expression *x, const struct array *array,
                       const struct expression *index) {
  int64_t apart;
  while ((x->kind == EXPRESSION_CONVERT && x->arguments[0]->type == x->type) || is_idle_cast(writer, x))
    x = x->arguments[0];
  if (x->kind != EXPRESSION_LOAD || x->array != array) return false;
  return writer_find_array(writer, array)->single ||
         (is_literal(expression_apply(writer->arena, OP_sub, x->arguments[0], index, NULL), &apart) && apart == 0);
}

const char *writer_set_text(struct writer *writer, const struct array *array, const struct expression *index,
                            struct piece value) {
  const struct piece name = piece_name(writer_array(writer, array));
  const struct piece arguments[] = {name, scalar_piece(writer, index), value};
  const struct template *set = writer->simd->scalar[access_of(array->storage)->set];
  return arena_format(writer->arena, "%s;", writer_fill(writer, set, arguments).text);
}

static void print_store(struct writer *writer, const struct statement *s) {
  struct array_binding *array = writer_find_array(writer, s->array);
  const struct expression *index = writer_resolve(writer, s->index), *value = writer_resolve(writer, s->expression);
  /* a sum with 0 was folded, and compilers warn of x = x */
  if (is_element(writer, value, s->array, index)) return;
  const char *name = writer_mention(writer, array->name);
  const bool is_usual = access_of(s->array->storage)->is_usual;
  if (!is_usual || s->array->optional) {
    const char *at = is_usual ? scalar_text(writer, index) : NULL, *what = is_usual ? scalar_text(writer, value) : NULL;
    const char *set = is_usual ? arena_format(writer->arena, "%s[%s] = %s;", name, at, what)
                               : writer_set_text(writer, s->array, index, scalar_piece(writer, value));
    if (s->array->optional)
      writer_line(writer, LINE_COMPOUND, "if (%s) %s", name, set);
    else
      writer_line(writer, LINE_SIMPLE, "%s", set);
    return;
  }
  const char *place = array->single ? name : arena_format(writer->arena, "%s[%s]", name, scalar_text(writer, index));
  writer_assign(writer, place, scalar_text(writer, value));
}

/* Whether the statement is nothing but loops that store +0 to each element of the array. */
static bool makes_zero(struct writer *writer, const struct statement *s, const struct array *array) {
  int64_t elements = 1, extent;
  for (; s->kind == STATEMENT_LOOP; s = s->body.statements.items[0]) {
    if (s->body.statements.count != 1 || s->step > 1 || !is_literal(writer_resolve(writer, s->extent), &extent))
      return false;
    elements *= extent;
  }
  return s->kind == STATEMENT_STORE && s->array == array && elements == array->count &&
         s->expression->kind == EXPRESSION_NUMBER && s->expression->number == 0 && !signbit(s->expression->number);
}

/* Prints "__m256 sum[8] = {0};" where the array is zero at first. Returns the statement that makes it so, or NULL. */
static const struct statement *print_zero(struct writer *writer, const struct block *block, int at) {
  const struct statement *s = block->statements.items[at];
  int next = at + 1;
  while (next < block->statements.count && block->statements.items[next]->kind == STATEMENT_ARRAY) next++;
  if (next == block->statements.count) return NULL;
  const struct statement *zero = block->statements.items[next];
  const int64_t count =
      s->array->count / (array_is_vectors(writer->target, block, s->array) ? writer->target->lanes : 1);
  if (count == 1 || !makes_zero(writer, zero, s->array)) return NULL;
  const char *type = bind_array(writer, s->array, block), *name = writer_find_array(writer, s->array)->name;
  writer_line(writer, LINE_DECLARATION, "%s %s[%lld] = {0};", type, name, (long long)count);
  return zero;
}

/* Prints "float sum = 0;" where the next statement stores what a register holds first. */
static bool print_initialized(struct writer *writer, const struct statement *s, const struct statement *next,
                              const struct block *block) {
  if (s->kind != STATEMENT_ARRAY || !next || (next->kind != STATEMENT_STORE && next->kind != STATEMENT_LOOP))
    return false;
  const char *type = bind_array(writer, s->array, block);
  struct aside outer = writer_begin_aside(writer, writer->text->indentation);
  print_statement(writer, next, block);
  struct aside stored = writer_end_aside(writer, outer);
  const struct array_binding *array = writer_find_array(writer, s->array);
  size_t column = (size_t)writer->text->indentation * 2;
  if (array->single && stored.lines.count == 1 && stored.lines.assigned == array->name &&
      column + strlen(type) + 1 + strlen(stored.lines.line) < TEXT_COLUMNS) {
    writer_line(writer, LINE_DECLARATION, "%s %s", type, stored.lines.line);
    return true;
  }
  print_array(writer, s->array, type);
  text_raw(writer->text, text_string(stored.text));
  writer->lines.count += stored.lines.count;
  return true;
}

static void print_let(struct writer *writer, const struct statement *s) {
  const char *value = resolved_text(writer, s->expression);
  const char *name = writer_declare(writer, s->variable->name);
  writer_bind(writer, (struct binding){.variable = s->variable, .kind = BINDING_NAME, .name = name});
  writer_line(writer, LINE_DECLARATION, "const %s %s = %s;", c_type(writer->printer, s->variable->type), name, value);
}

static void print_if(struct writer *writer, const struct statement *s) {
  struct scope scope = scope_open(writer);
  text_open(writer->text, "if (%s)", resolved_text(writer, s->expression));
  struct lines outer = writer->lines;
  print_block(writer, &s->body);
  text_close(writer->text);
  writer->lines = outer;
  end_compound(writer);
  scope_close(writer, scope);
}

/* A long pointer that a call writes through, and takes a second time to read, gets a name before the call. */
static void name_pointers(struct writer *writer, const struct statement *s, const char **texts) {
  enum { SHORT = 24 };
  for (int i = 0; i < s->arguments.count; i++) {
    const struct array *array = s->arguments.items[i].array, *parameter = s->function->parameters.items[i].array;
    const char *text = texts[i], *name = NULL;
    for (int j = 0; j < s->arguments.count && array && parameter->written && strlen(text) > SHORT; j++) {
      if (j == i || s->arguments.items[j].array != array || strcmp(texts[j], text) != 0) continue;
      if (!name) {
        name = writer_declare(writer, parameter->name);
        writer_line(writer, LINE_DECLARATION, "%s *%s = %s;", c_element_type(writer->printer, array->storage), name,
                    text);
      }
      texts[i] = texts[j] = name;
    }
  }
}

static void print_call(struct writer *writer, const struct statement *s) {
  const char *arguments = "", **texts = arena_new_array(writer->arena, const char *, s->arguments.count + 1);
  for (int i = 0; i < s->arguments.count; i++) {
    const struct argument *argument = &s->arguments.items[i];
    const struct expression *value =
        argument->expression ? writer_resolve(writer, argument->expression) : expression_index(writer->arena, 0);
    texts[i] = argument->array ? pointer_piece(writer, argument->array, value).text : scalar_text(writer, value);
  }
  name_pointers(writer, s, texts);
  for (int i = 0; i < s->arguments.count; i++)
    arguments = arena_format(writer->arena, "%s%s%s", arguments, i ? ", " : "", texts[i]);
  writer_line(writer, LINE_SIMPLE, "%s(%s);", c_identifier(writer->printer, s->function->name), arguments);
}

static void print_expand(struct writer *writer, const struct statement *s) {
  const enum storage storage = s->arguments.items[0].array->storage;
  struct piece arguments[4];
  for (int i = 0; i < 3; i++)
    arguments[i] =
        pointer_piece(writer, s->arguments.items[i].array, writer_resolve(writer, s->arguments.items[i].expression));
  arguments[3] = scalar_piece(writer, s->extent);
  if (storage != STORAGE_REAL && storage_facts[storage].bits != 8)
    bug("%s: a bitmap of %s", writer->function->name, storage_names[storage]);
  const enum operation operation = storage == STORAGE_REAL ? OPERATION_real_expand : OPERATION_byte_expand;
  writer_line(writer, LINE_SIMPLE, "%s;", writer_fill(writer, writer->simd->scalar[operation], arguments).text);
}

static void print_multiply(struct writer *writer, const struct statement *s) {
  static const struct {
    enum storage a, b;
    enum operation operation;
  } rows[] = {
#define DOT(name, count, x, y) {STORAGE_##x, STORAGE_##y, OPERATION_##name##_multiply},
#include "ir/dots.def"
  };
  struct piece arguments[MULTIPLY_ARGUMENTS];
  for (int i = 0; i < MULTIPLY_ARGUMENTS; i++) {
    const struct argument *argument = &s->arguments.items[i];
    const struct expression *value = writer_resolve(writer, argument->expression);
    arguments[i] = argument->array ? pointer_piece(writer, argument->array, value) : scalar_piece(writer, value);
  }
  size_t row = 0;
  while (rows[row].a != s->arguments.items[MULTIPLY_A].array->storage ||
         rows[row].b != s->arguments.items[MULTIPLY_B].array->storage)
    if (++row == sizeof rows / sizeof *rows) bug("%s: a product that no target has", writer->function->name);
  /* Where the sums begin at 0, the same argument says where they go to. */
  const struct expression *far = s->arguments.items[MULTIPLY_FAR].expression,
                          *begun = s->arguments.items[MULTIPLY_BEGUN].expression;
  if (far->number != 0 && begun->kind == EXPRESSION_NUMBER && begun->number == 0)
    arguments[MULTIPLY_BEGUN] = piece_name("-1");
  const struct template *text = writer->simd->scalar[rows[row].operation];
  writer_line(writer, LINE_SIMPLE, "%s;", writer_fill(writer, text, arguments).text);
}

static void print_prefetch(struct writer *writer, const struct statement *s) {
  const struct expression *at = writer_resolve(writer, s->index);
  /* Of elements that share bytes, those before the index count by halves: which half is all the same. */
  const int shared = 8 / storage_facts[s->array->storage].bits;
  if (shared > 1 && !expression_divides(writer->arena, at, shared, &at))
    at = expression_apply(writer->arena, OP_quotient, at, expression_index(writer->arena, shared), NULL);
  const char *index = scalar_text(writer, at);
  const char *prefetch = construct(writer, CONSTRUCT_PREFETCH), *array = writer_array(writer, s->array);
  writer_line(writer, LINE_COMPOUND, "%s(%s, %s);", prefetch, array, index);
}

static void print_statement(struct writer *writer, const struct statement *s, const struct block *block) {
  switch (s->kind) {
    case STATEMENT_LOOP:
      print_loop(writer, s);
      return;
    case STATEMENT_LET:
      print_let(writer, s);
      return;
    case STATEMENT_ARRAY:
      print_array(writer, s->array, bind_array(writer, s->array, block));
      return;
    case STATEMENT_STORE:
      print_store(writer, s);
      return;
    case STATEMENT_EXPAND:
      print_expand(writer, s);
      return;
    case STATEMENT_MULTIPLY:
      print_multiply(writer, s);
      return;
    case STATEMENT_PREFETCH:
      print_prefetch(writer, s);
      return;
    case STATEMENT_IF:
      print_if(writer, s);
      return;
    case STATEMENT_CALL:
      print_call(writer, s);
      return;
    case STATEMENT_COMMENT:
      writer_comment(writer, s->text);
      return;
  }
}

static void print_block(struct writer *writer, const struct block *block) {
  const struct statement *printed = NULL; /* before its turn */
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *s = block->statements.items[i],
                           *next = i + 1 < block->statements.count ? block->statements.items[i + 1] : NULL;
    const struct statement *zero = s->kind == STATEMENT_ARRAY ? print_zero(writer, block, i) : NULL;
    if (zero) printed = zero;
    if (zero || s == printed) continue;
    if (next != printed && print_initialized(writer, s, next, block))
      i++;
    else
      print_statement(writer, s, block);
  }
}

void c_print_prototype(struct c_printer *printer, const struct function *function, bool internal) {
  struct writer writer = writer_new(printer, function);
  text_line(printer->text, "%s;", head(&writer, function, internal, false));
}

void c_print_comment(struct c_printer *printer, const struct function *function) {
  const char *comment = function->comment ? function->comment : function->formula;
  if (comment) text_comment(printer->text, comment);
}

void c_print_function(struct c_printer *printer, const struct function *function, bool internal) {
  struct writer writer = writer_new(printer, function);
  /* Shapes are left out where the target has an attribute: the body of a parallel loop is then a function of its own,
     which this one only calls. */
  const char *first_line = head(&writer, function, internal, !printer->target->attribute);
  writer_function(&writer, first_line, writer_body(&writer, &function->body));
  text_raw(printer->text, text_string(writer.parts));
  c_print_comment(printer, function);
  text_raw(printer->text, text_string(writer.text));
}
