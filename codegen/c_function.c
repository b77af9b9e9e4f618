/* Functions and statements as C. */
#include <ctype.h>
#include <string.h>

#include "codegen/c_writer.h"

struct c_printer *c_printer_new(struct arena *arena, const struct target *target) {
  struct c_printer *printer = arena_new_struct(arena, struct c_printer);
  *printer = (struct c_printer){arena, target, text_new(arena), simd_of(arena, target)};
  return printer;
}

/* --- Names -------------------------------------------------------------------------------------------------------------------- */

/* What the printed text itself says, besides keywords: a variable of such a name would hide it. Then macros of the headers that
   programs include, which no name of any kind may be. */
static const char *const taken[] = {
    "auto",   "break",    "case",     "char",    "const",   "continue", "default", "do",     "double", "else",   "enum",   "extern",
    "float",  "for",      "goto",     "if",      "inline",  "int",      "long",    "register", "restrict", "return", "short", "signed",
    "sizeof", "static",   "struct",   "switch",  "typedef", "union",    "unsigned", "void",  "volatile", "while", "main",   "int32_t",
    "int64_t", "uint8_t", "uint32_t", "uint64_t", "sqrt",   "pow",      "floor",   "rint",   "fabs",   "fabsf",  "sqrtf",
    "floorf", "rintf",    "fmaf",     "fma",     "asm",     "typeof",   "bool",    "true",   "false",  "errno",  "stdin",  "stdout",
    "stderr", "unix",     "linux",    "i386",    "st_atime",
    "st_mtime", "st_ctime", "sa_handler", "sa_sigaction", "static_assert",
#define FUNCTION(name) #name,
#include "codegen/simd.def"
    NULL};

/* Macros are written in capitals (EOF, NULL, INT_MAX), so names of the spec that are become small. One letter is no macro. */
static const char *in_small_letters(struct arena *arena, const char *name) {
  for (const char *at = name; *at; at++)
    if (islower((unsigned char)*at)) return name;
  if (!name[0] || !name[1]) return name;
  char *small = arena_strdup(arena, name);
  for (char *at = small; *at; at++) *at = (char)tolower((unsigned char)*at);
  return small;
}

const char *c_identifier(struct arena *arena, const char *name) {
  name = in_small_letters(arena, name);
  for (int i = 0; taken[i]; i++)
    if (strcmp(taken[i], name) == 0) return arena_format(arena, "%s_", name);
  return name;
}

const char *writer_declare(struct writer *writer, const char *name) {
  return names_declare(writer->arena, &writer->names, c_identifier(writer->arena, name), NULL);
}

void writer_bind(struct writer *writer, struct binding binding) {
  *pointer_table_at(writer->arena, &writer->places, binding.variable, 0) = writer->bindings.count;
  array_push(writer->arena, &writer->bindings, binding);
}

struct binding *writer_find(struct writer *writer, const struct variable *variable) {
  const int *place = pointer_table_find(&writer->places, variable);
  if (place && *place < writer->bindings.count && writer->bindings.items[*place].variable == variable) return &writer->bindings.items[*place];
  /* The latest was of a scope that has ended. */
  for (int i = writer->bindings.count - 1; i >= 0; i--)
    if (writer->bindings.items[i].variable == variable) return &writer->bindings.items[i];
  bug("%s: the variable %s is not in scope", writer->function->name, variable->name);
}

struct array_binding *writer_find_array(struct writer *writer, const struct array *array) {
  for (int i = writer->arrays.count - 1; i >= 0; i--)
    if (writer->arrays.items[i].array == array) return &writer->arrays.items[i];
  bug("%s: the array %s is not in scope", writer->function->name, array->name);
}

const char *vector_element(struct writer *writer, const struct array_binding *array, const struct expression *start) {
  if (array->single) return array->name;
  const struct expression *lanes = expression_index(writer->arena, writer->target->lanes);
  const struct expression *place = expression_apply(writer->arena, OP_quotient, start, lanes, NULL);
  return arena_format(writer->arena, "%s[%s]", array->name, scalar_text(writer, place));
}

static bool has_values(struct writer *writer, const struct expression *x) {
  if (x->kind == EXPRESSION_VARIABLE) return writer_find(writer, x->variable)->kind == BINDING_VALUE;
  for (int i = 0; i < x->argument_count; i++)
    if (has_values(writer, x->arguments[i])) return true;
  return false;
}

const struct expression *writer_resolve(struct writer *writer, const struct expression *x) {
  if (!has_values(writer, x)) return x;
  struct arena *arena = writer->arena;
  const struct expression *arguments[5] = {NULL, NULL, NULL, NULL, NULL};
  for (int i = 0; i < x->argument_count; i++) arguments[i] = writer_resolve(writer, x->arguments[i]);
  switch (x->kind) {
    case EXPRESSION_NUMBER: return x;
    case EXPRESSION_VARIABLE: return writer_resolve(writer, writer_find(writer, x->variable)->expression);
    case EXPRESSION_LOAD: return expression_load(arena, x->array, arguments[0]);
    case EXPRESSION_APPLY:
      if (x->op == OP_cast) return expression_cast(arena, x->storage, arguments[0]);
      return expression_apply(arena, x->op, arguments[0], arguments[1], arguments[2]);
    case EXPRESSION_FMA: return expression_fma(arena, arguments[0], arguments[1], arguments[2]);
    case EXPRESSION_CONVERT: return expression_convert(arena, x->type, arguments[0]);
    case EXPRESSION_FOLD: return expression_fold(arena, x->op, x->array, arguments[0], x->lanes);
    case EXPRESSION_DRAW: return expression_draw(arena, x->distribution, arguments);
  }
  bug("no such expression");
}

/* --- Prototypes ------------------------------------------------------------------------------------------------------------------- */

const char *writer_parameter(struct writer *writer, const struct parameter *parameter, bool comment) {
  struct arena *arena = writer->arena;
  const char *name = writer_declare(writer, parameter->array ? parameter->array->name : parameter->variable->name);
  if (!parameter->array) {
    writer_bind(writer, (struct binding){.variable = parameter->variable, .kind = BINDING_NAME, .name = name});
    return arena_format(arena, "%s %s", c_type(writer->target, parameter->variable->type), name);
  }
  const struct array *array = parameter->array;
  array_push(arena, &writer->arrays, (struct array_binding){.array = array, .name = name});
  /* A helper may be given one array twice, as what it reads and as what it writes. */
  const char *pointer = arena_format(arena, "%s%s *%s%s", array->written ? "" : "const ", c_type(writer->target, array->type),
                                     writer->function->is_helper ? "" : "restrict ", name);
  return array->comment && comment ? arena_format(arena, "%s /* %s */", pointer, array->comment) : pointer;
}

/* The function up to its body, with the shapes of arrays as comments if asked. Names are declared in the writer. */
static const char *head(struct writer *writer, const struct function *function, const char *linkage, bool comments) {
  const char *text = "";
  for (int i = 0; i < function->parameters.count; i++) {
    const char *full = writer_parameter(writer, &function->parameters.items[i], comments);
    /* A line cannot be broken before a comment: where the two do not fit, the comment goes. */
    size_t before = i ? 4 : strlen(linkage) + strlen(function->name) + sizeof "LAM_SIMD void (";
    if (before + strlen(full) + 1 > TEXT_COLUMNS) full = arena_copy(writer->arena, full, strcspn(full, "/") - 1);
    text = arena_format(writer->arena, "%s%s%s", text, i ? ", " : "", full);
  }
  return arena_format(writer->arena, "%s%svoid %s(%s)", writer->target->attribute ? "LAM_SIMD " : "", linkage,
                      c_identifier(writer->arena, function->name), *text ? text : "void");
}

/* --- Statements -------------------------------------------------------------------------------------------------------------------- */

static void print_statement(struct writer *writer, const struct statement *s, const struct block *block);
static void print_block(struct writer *writer, const struct block *block);

/* What is declared inside is forgotten when a scope ends. */
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

/* "for (int64_t i = 0; i < 12; i++)"; the variable is declared. */
static const char *loop_head(struct writer *writer, const struct statement *s) {
  struct piece extent = scalar_piece(writer, writer_resolve(writer, s->extent));
  const char *bound = piece_text(writer->arena, extent, BINDS_SUM);
  const char *name = writer_declare(writer, s->variable->name);
  writer_bind(writer, (struct binding){.variable = s->variable, .kind = BINDING_NAME, .name = name});
  const char *step = s->step > 1 ? arena_format(writer->arena, "%s += %lld", name, (long long)s->step) : arena_format(writer->arena, "%s++", name);
  return arena_format(writer->arena, "for (int64_t %s = 0; %s < %s; %s)", name, name, bound, step);
}

/* Text of one statement, however many lines it has: nothing else begins in its column but the brace that closes it. */
static bool is_one_statement(const char *body) {
  size_t column = strspn(body, " ");
  if (strncmp(body + column, "const ", 6) == 0) return false;
  for (const char *line = strchr(body, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
    size_t indentation = strspn(line + 1, " ");
    if (indentation < column || (indentation == column && strcmp(line + 1 + column, "}\n") != 0)) return false;
  }
  return true;
}

/* The loop with its body; on one line where the body is one short statement, and nothing for nothing. `loop` may have a macro before
   it. */
static void print_loop_body(struct writer *writer, const char *loop, const struct block *block) {
  struct text *outer = writer->text, *inner = text_new(writer->arena);
  inner->indentation = outer->indentation + 1;
  writer->text = inner;
  print_block(writer, block);
  writer->text = outer;
  const char *body = text_string(inner);
  if (!*body) return;
  size_t indentation = strspn(body, " "), length = strcspn(body, "\n");
  bool is_line = body[length] == '\n' && !body[length + 1] && body[length - 1] == ';' && strchr(body, '{') == NULL;
  bool is_simple = strncmp(body + indentation, "for ", 4) != 0 && strncmp(body + indentation, "if ", 3) != 0 &&
                   strncmp(body + indentation, "const ", 6) != 0 && strncmp(body + indentation, "LAM_", 4) != 0;
  size_t width = (size_t)outer->indentation * 2 + strlen(loop) + 1 + length - indentation;
  if (is_line && is_simple && width <= TEXT_COLUMNS) {
    text_line(outer, "%s %.*s", loop, (int)(length - indentation), body + indentation);
    return;
  }
  if (is_one_statement(body)) {
    text_line(outer, "%s", loop);
    text_raw(outer, body);
    return;
  }
  text_open(outer, "%s", loop);
  text_raw(outer, body);
  text_close(outer);
}

static bool mentions(const char *text, const char *name) {
  size_t length = strlen(name);
  for (const char *at = text; (at = strstr(at, name)) != NULL; at++) {
    bool begins = at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
    if (begins && !isalnum((unsigned char)at[length]) && at[length] != '_') return true;
  }
  return false;
}

/* Parameters without a use are marked: functions of one family take the same parameters, and a tile of one row has no use for the
   distance between rows. */
void writer_body(struct writer *writer, const char *first_line, const struct block *block) {
  struct text *text = writer->text;
  int parameters = writer->names.items.count;
  writer->text = text_new(writer->arena);
  writer->text->indentation = 1;
  print_block(writer, block);
  text_open(text, "%s", first_line);
  for (int i = 0; i < parameters; i++)
    if (!mentions(text_string(writer->text), writer->names.items.items[i])) text_line(text, "(void)%s;", writer->names.items.items[i]);
  text_raw(text, text_string(writer->text));
  text_close(text);
  writer->text = text;
}

/* Compilers do not give the target's attribute to the functions that they make of a parallel loop's body (clang with -fopenmp), so
   the body becomes a function of its own here. */
static void print_part(struct writer *writer, const struct statement *s, const char *loop) {
  struct arena *arena = writer->arena;
  struct free_names outside = {0};
  block_free_names(arena, &s->body, &outside);
  const char *number = writer->part_count++ ? arena_format(arena, "_%d", writer->part_count) : "";
  const char *name = arena_format(arena, "%s_part%s", writer->function->name, number);
  struct writer part = *writer;
  part.text = text_new(arena);
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
    parameters = arena_format(arena, "%s%s%s%s *restrict %s", parameters, *parameters ? ", " : "", constant,
                              c_type(writer->target, array->type), inside);
    arguments = arena_format(arena, "%s%s%s", arguments, *arguments ? ", " : "", writer_find_array(writer, array)->name);
    array_push(arena, &part.arrays, (struct array_binding){.array = array, .name = inside});
  }
  for (int i = 0; i < outside.variables.count; i++) {
    const struct variable *variable = outside.variables.items[i];
    struct binding binding = *writer_find(writer, variable);
    if (binding.kind == BINDING_NAME) {
      const char *inside = writer_declare(&part, binding.name);
      parameters = arena_format(arena, "%s%s%s %s", parameters, *parameters ? ", " : "", c_type(writer->target, variable->type), inside);
      arguments = arena_format(arena, "%s%s%s", arguments, *arguments ? ", " : "", binding.name);
      binding.name = inside;
    }
    writer_bind(&part, binding);
  }
  const char *first_line = arena_format(arena, "LAM_SIMD static void %s(%s)", name, *parameters ? parameters : "void");
  writer_body(&part, first_line, &s->body);
  text_blank(part.text);
  writer->part_count = part.part_count;
  text_raw(writer->parts, text_string(part.text));
  text_line(writer->text, "LAM_PARALLEL %s %s(%s);", loop, name, arguments);
}

/* Compilers unroll it: a loop that asks for it says more to its reader than its copies would. */
static void print_unrolled(struct writer *writer, const struct statement *s) {
  int64_t extent, step = s->step > 1 ? s->step : 1;
  if (!is_literal(writer_resolve(writer, s->extent), &extent))
    bug("%s: the loop over %s is unrolled and has no constant extent", writer->function->name, s->variable->name);
  if (extent <= step) {
    struct binding binding = {.variable = s->variable, .kind = BINDING_VALUE, .expression = expression_index(writer->arena, 0)};
    writer_bind(writer, binding);
    if (extent > 0) print_block(writer, &s->body);
    return;
  }
  struct scope scope = scope_open(writer);
  print_loop_body(writer, arena_format(writer->arena, "LAM_UNROLL %s", loop_head(writer, s)), &s->body);
  scope_close(writer, scope);
}

static void print_loop(struct writer *writer, const struct statement *s) {
  if (s->loop == LOOP_VECTOR && writer->target->simd) {
    vector_loop(writer, s);
    return;
  }
  if (s->loop == LOOP_UNROLLED) {
    print_unrolled(writer, s);
    return;
  }
  if (writer->target->simd && print_transpose(writer, s)) return;
  struct scope scope = scope_open(writer);
  const char *loop = loop_head(writer, s);
  bool parallel = s->loop == LOOP_PARALLEL && !writer->in_parallel;
  switch (s->loop) {
    case LOOP_PARALLEL:
      if (parallel && writer->target->attribute) {
        print_part(writer, s, loop);
        break;
      }
      writer->in_parallel = true;
      print_loop_body(writer, parallel ? arena_format(writer->arena, "LAM_PARALLEL %s", loop) : loop, &s->body);
      if (parallel) writer->in_parallel = false;
      break;
    case LOOP_SERIAL:
    case LOOP_VECTOR:
    case LOOP_UNROLLED:
      print_loop_body(writer, loop, &s->body);
      break;
  }
  scope_close(writer, scope);
}

static void print_array(struct writer *writer, const struct statement *s, const struct block *block) {
  const struct array *array = s->array;
  const char *name = writer_declare(writer, array->name);
  struct array_binding binding = {.array = array, .name = name, .vectors = array_is_vectors(writer->target, block, array)};
  int64_t count = array->count / (binding.vectors ? writer->target->lanes : 1);
  binding.single = binding.vectors ? count == 1 : array_is_number(block, array);
  array_push(writer->arena, &writer->arrays, binding);
  const char *type = c_type(writer->target, array->type);
  if (binding.vectors) {
    enum operation row = array->type == TYPE_REAL ? OPERATION_real_type : array->type == TYPE_BOOLEAN ? OPERATION_mask_type : OPERATION_int_type;
    type = writer->simd->vector[row];
  }
  if (binding.single) text_line(writer->text, "%s %s;", type, name);
  else text_line(writer->text, "%s %s[%lld];", type, name, (long long)count);
}

static void print_store(struct writer *writer, const struct statement *s) {
  struct array_binding *array = writer_find_array(writer, s->array);
  const char *index = array->single ? NULL : resolved_text(writer, s->index);
  const char *value = resolved_text(writer, s->expression);
  const char *place = array->single ? array->name : arena_format(writer->arena, "%s[%s]", array->name, index);
  if (strcmp(place, value) == 0) return; /* a zero was added, and compilers warn of what then does nothing */
  text_line(writer->text, "%s = %s;", place, value);
}

/* "float sum = 0;" where what a register holds first is stored next. */
static bool print_initialized(struct writer *writer, const struct statement *s, const struct statement *next, const struct block *block) {
  if (s->kind != STATEMENT_ARRAY || !next || (next->kind != STATEMENT_STORE && next->kind != STATEMENT_LOOP)) return false;
  struct text *outer = writer->text, *declared = text_new(writer->arena), *stored = text_new(writer->arena);
  declared->indentation = stored->indentation = outer->indentation;
  writer->text = declared;
  print_array(writer, s, block);
  writer->text = stored;
  print_statement(writer, next, block);
  writer->text = outer;
  const char *declaration = text_string(declared), *store = text_string(stored), *name = writer_find_array(writer, s->array)->name;
  size_t indentation = (size_t)outer->indentation * 2, type = strcspn(declaration + indentation, " ") + 1, length = strlen(name);
  bool joins = writer_find_array(writer, s->array)->single && *store && strncmp(store + indentation, name, length) == 0 &&
               strncmp(store + indentation + length, " = ", 3) == 0 && strchr(store, '\n')[1] == '\0' &&
               strlen(store) + type <= TEXT_COLUMNS;
  text_raw(outer, joins ? arena_copy(writer->arena, declaration, indentation + type) : declaration);
  text_raw(outer, joins ? store + indentation : store);
  return true;
}

static void print_let(struct writer *writer, const struct statement *s) {
  const char *value = resolved_text(writer, s->expression);
  const char *name = writer_declare(writer, s->variable->name);
  writer_bind(writer, (struct binding){.variable = s->variable, .kind = BINDING_NAME, .name = name});
  text_line(writer->text, "const %s %s = %s;", c_type(writer->target, s->variable->type), name, value);
}

static void print_if(struct writer *writer, const struct statement *s) {
  struct scope scope = scope_open(writer);
  text_open(writer->text, "if (%s)", resolved_text(writer, s->expression));
  print_block(writer, &s->body);
  text_close(writer->text);
  scope_close(writer, scope);
}

static void print_call(struct writer *writer, const struct statement *s) {
  const char *arguments = "";
  for (int i = 0; i < s->arguments.count; i++) {
    const struct argument *argument = &s->arguments.items[i];
    const struct expression *value = argument->expression ? writer_resolve(writer, argument->expression) : expression_index(writer->arena, 0);
    const char *text = argument->array ? pointer_piece(writer, argument->array, value).text : scalar_text(writer, value);
    arguments = arena_format(writer->arena, "%s%s%s", arguments, i ? ", " : "", text);
  }
  text_line(writer->text, "%s(%s);", c_identifier(writer->arena, s->function->name), arguments);
}

static void print_prefetch(struct writer *writer, const struct statement *s) {
  const char *index = scalar_text(writer, writer_resolve(writer, s->index));
  text_line(writer->text, "LAM_PREFETCH(%s, %s);", writer_find_array(writer, s->array)->name, index);
}

static void print_statement(struct writer *writer, const struct statement *s, const struct block *block) {
  switch (s->kind) {
    case STATEMENT_LOOP: print_loop(writer, s); return;
    case STATEMENT_LET: print_let(writer, s); return;
    case STATEMENT_ARRAY: print_array(writer, s, block); return;
    case STATEMENT_STORE: print_store(writer, s); return;
    case STATEMENT_PREFETCH: print_prefetch(writer, s); return;
    case STATEMENT_IF: print_if(writer, s); return;
    case STATEMENT_CALL: print_call(writer, s); return;
    case STATEMENT_COMMENT: text_comment(writer->text, s->text); return;
  }
}

static void print_block(struct writer *writer, const struct block *block) {
  for (int i = 0; i < block->statements.count; i++) {
    const struct statement *s = block->statements.items[i], *next = i + 1 < block->statements.count ? block->statements.items[i + 1] : NULL;
    if (print_initialized(writer, s, next, block)) i++;
    else print_statement(writer, s, block);
  }
}

struct writer writer_new(struct c_printer *printer, const struct function *function, const char *linkage) {
  return (struct writer){.arena = printer->arena,
                         .target = printer->target,
                         .simd = printer->simd,
                         .text = text_new(printer->arena),
                         .function = function,
                         .linkage = linkage,
                         .parts = text_new(printer->arena)};
}

void c_print_prototype(struct c_printer *printer, const struct function *function, const char *linkage) {
  struct writer writer = writer_new(printer, function, linkage);
  text_line(printer->text, "%s;", head(&writer, function, linkage, false));
}

void c_print_function(struct c_printer *printer, const struct function *function, const char *linkage) {
  struct writer writer = writer_new(printer, function, linkage);
  /* Where the body is a function of its own, this one only calls it; the struct of the argument has the shape. */
  const char *first_line = head(&writer, function, linkage, !printer->target->attribute);
  writer_body(&writer, first_line, &function->body);
  text_raw(printer->text, text_string(writer.parts));
  if (function->comment) text_comment(printer->text, function->comment);
  text_raw(printer->text, text_string(writer.text));
}
