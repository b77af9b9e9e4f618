/* The loop IR as text; loop_read.c reads it back to equal functions. */
#include "ir/loop_text.h"

#include <math.h>
#include <string.h>

const struct infix *infix_at(int number) {
  static const struct infix infixes[] = {{"<", OP_lt, BINDING_COMPARE},   {"<=", OP_le, BINDING_COMPARE},
                                         {"==", OP_eq, BINDING_COMPARE},  {"!=", OP_ne, BINDING_COMPARE},
                                         {"+", OP_add, BINDING_ADD},      {"-", OP_sub, BINDING_ADD},
                                         {"*", OP_mul, BINDING_MULTIPLY}, {"/", OP_div, BINDING_MULTIPLY},
                                         {"%", OP_mod, BINDING_MULTIPLY}, {"//", OP_quotient, BINDING_MULTIPLY}};
  return number >= 0 && number < (int)(sizeof infixes / sizeof *infixes) ? &infixes[number] : NULL;
}

/* NULL for an operation that is called by name. */
static const struct infix *infix_of(enum op op) {
  const struct infix *infix;
  for (int i = 0; (infix = infix_at(i)) != NULL; i++)
    if (infix->op == op) return infix;
  return NULL;
}

static void print_number(FILE *file, enum type type, double number) {
  char text[64];
  switch (type) {
    case TYPE_BOOLEAN:
      fputs(number != 0 ? "true" : "false", file);
      return;
    case TYPE_INDEX:
      fprintf(file, "%.0f", number);
      return;
    case TYPE_INTEGER:
      fprintf(file, "%.0fi", number);
      return;
    case TYPE_REAL:
      if (isnan(number)) {
        fputs("nan", file);
        return;
      }
      snprintf(text, sizeof text, "%.15g", number);
      double again = 0;
      if (sscanf(text, "%lf", &again) != 1 || again != number) snprintf(text, sizeof text, "%.17g", number);
      fprintf(file, "%s%s", text, strpbrk(text, ".eEn") ? "" : ".0");
      return;
  }
}

static void print_expression(FILE *file, const struct expression *x, enum binding least);

static void print_arguments(FILE *file, const struct expression *x) {
  putc('(', file);
  for (int i = 0; i < x->argument_count; i++) {
    if (i) fputs(", ", file);
    print_expression(file, x->arguments[i], BINDING_COMPARE);
  }
  putc(')', file);
}

static void print_apply(FILE *file, const struct expression *x, enum binding least) {
  const struct infix *infix = infix_of(x->op);
  if (!infix) {
    fputs(op_facts[x->op].name, file);
    if (x->op == OP_cast) fprintf(file, ".%s", storage_names[x->storage]);
    print_arguments(file, x);
    return;
  }
  if (infix->binding < least) putc('(', file);
  print_expression(file, x->arguments[0], infix->binding == BINDING_COMPARE ? BINDING_ADD : infix->binding);
  fprintf(file, " %s ", infix->sign);
  print_expression(file, x->arguments[1], infix->binding + 1);
  if (infix->binding < least) putc(')', file);
}

static void print_expression(FILE *file, const struct expression *x, enum binding least) {
  switch (x->kind) {
    case EXPRESSION_NUMBER:
      print_number(file, x->type, x->number);
      return;
    case EXPRESSION_VARIABLE:
      fputs(x->variable->name, file);
      return;
    case EXPRESSION_LOAD:
      fprintf(file, "%s[", x->array->name);
      print_expression(file, x->arguments[0], BINDING_COMPARE);
      putc(']', file);
      return;
    case EXPRESSION_APPLY:
      print_apply(file, x, least);
      return;
    case EXPRESSION_FMA:
      fputs("fma", file);
      print_arguments(file, x);
      return;
    case EXPRESSION_DOT:
      fprintf(file, "dot.%d", x->lanes);
      print_arguments(file, x);
      return;
    case EXPRESSION_QUANTILE:
      fputs("quantile", file);
      print_arguments(file, x);
      return;
    case EXPRESSION_CONVERT:
      fputs(type_names[x->type], file);
      print_arguments(file, x);
      return;
    case EXPRESSION_FOLD:
      fprintf(file, "fold.%s(%s[", op_facts[x->op].name, x->array->name);
      print_expression(file, x->arguments[0], BINDING_COMPARE);
      fprintf(file, "], %d)", x->lanes);
      return;
    case EXPRESSION_DRAW:
      fprintf(file, "draw.%s", x->distribution == DISTRIBUTION_NORMAL ? "normal" : "uniform");
      print_arguments(file, x);
      return;
  }
}

static void print_string(FILE *file, const char *text) {
  putc('"', file);
  for (; *text; text++) {
    if (*text == '\n')
      fputs("\\n", file);
    else if (*text == '"' || *text == '\\')
      fprintf(file, "\\%c", *text);
    else
      putc(*text, file);
  }
  putc('"', file);
}

static void indent(FILE *file, int depth) {
  for (int i = 0; i < depth; i++) fputs("  ", file);
}

static void print_block(FILE *file, const struct block *block, int depth);

static void print_body(FILE *file, const struct block *block, int depth) {
  fputs(" {\n", file);
  print_block(file, block, depth + 1);
  indent(file, depth);
  fputs("}\n", file);
}

static void print_operands(FILE *file, const struct statement *statement) {
  putc('(', file);
  for (int i = 0; i < statement->arguments.count; i++) {
    const struct argument *argument = &statement->arguments.items[i];
    if (i) fputs(", ", file);
    if (argument->array) fprintf(file, "&%s[", argument->array->name);
    print_expression(file, argument->expression, BINDING_COMPARE);
    if (argument->array) putc(']', file);
  }
  fputs(")\n", file);
}

static void print_element(FILE *file, const struct statement *statement) {
  fprintf(file, "%s[", statement->array->name);
  print_expression(file, statement->index, BINDING_COMPARE);
  putc(']', file);
}

static void print_assignment(FILE *file, const struct statement *statement) {
  print_element(file, statement);
  fputs(" = ", file);
  print_expression(file, statement->expression, BINDING_COMPARE);
}

/* An array's elements are called by their type where they are stored as that type usually is, else by their storage. */
static const char *element_name(const struct array *array) {
  return array->storage == storage_of_type(array->type) ? type_names[array->type] : storage_names[array->storage];
}

static void print_statement(FILE *file, const struct statement *statement, int depth) {
  indent(file, depth);
  switch (statement->kind) {
    case STATEMENT_LOOP:
      fprintf(file, "%s %s < ", loop_kind_names[statement->loop], statement->variable->name);
      print_expression(file, statement->extent, BINDING_ADD);
      if (statement->step != 1) fprintf(file, " step %lld", (long long)statement->step);
      print_body(file, &statement->body, depth);
      return;
    case STATEMENT_LET:
      fprintf(file, "let %s = ", statement->variable->name);
      print_expression(file, statement->expression, BINDING_COMPARE);
      putc('\n', file);
      return;
    case STATEMENT_ARRAY:
      fprintf(file, "%s %s %s[%lld]\n", memory_names[statement->array->memory], element_name(statement->array),
              statement->array->name, (long long)statement->array->count);
      return;
    case STATEMENT_STORE:
      print_assignment(file, statement);
      putc('\n', file);
      return;
    case STATEMENT_EXPAND:
      fputs("expand ", file);
      print_expression(file, statement->extent, BINDING_COMPARE);
      print_operands(file, statement);
      return;
    case STATEMENT_MULTIPLY:
      fputs("multiply", file);
      print_operands(file, statement);
      return;
    case STATEMENT_PREFETCH:
      fputs("prefetch ", file);
      print_element(file, statement);
      putc('\n', file);
      return;
    case STATEMENT_IF:
      fputs("if ", file);
      print_expression(file, statement->expression, BINDING_COMPARE);
      print_body(file, &statement->body, depth);
      return;
    case STATEMENT_CALL:
      fprintf(file, "call %s", statement->function->name);
      print_operands(file, statement);
      return;
    case STATEMENT_COMMENT:
      fputs("comment ", file);
      print_string(file, statement->text);
      putc('\n', file);
      return;
  }
}

static void print_block(FILE *file, const struct block *block, int depth) {
  for (int i = 0; i < block->statements.count; i++) print_statement(file, block->statements.items[i], depth);
}

void function_print(FILE *file, const struct function *function) {
  fprintf(file, "function %s(", function->name);
  for (int i = 0; i < function->parameters.count; i++) {
    const struct parameter *parameter = &function->parameters.items[i];
    if (i) fputs(", ", file);
    if (parameter->variable) {
      fprintf(file, "%s %s", type_names[parameter->variable->type], parameter->variable->name);
      continue;
    }
    const struct array *array = parameter->array;
    fprintf(file, "%s%s %s[%lld]", array->written ? "written " : "", element_name(array), array->name,
            (long long)array->count);
    if (array->comment) {
      putc(' ', file);
      print_string(file, array->comment);
    }
  }
  fputs(function->is_helper ? ") helper" : ")", file);
  if (function->comment) {
    putc(' ', file);
    print_string(file, function->comment);
  }
  print_body(file, &function->body, 0);
}

static const char *const buffer_roles[] = {"state", "input", "output", "activation"};

/* Buffers and routines are for the reader's eye: lines that begin with # are skipped by module_read. */
static void print_launch(FILE *file, const struct launch *launch) {
  fprintf(file, "#   %s(", launch->function->name);
  for (int i = 0; i < launch->arguments.count; i++) {
    const struct launch_argument *argument = &launch->arguments.items[i];
    if (i) fputs(", ", file);
    if (argument->buffer) {
      const struct buffer *buffer = argument->buffer;
      fputs(buffer->name, file);
      if (buffer->copy >= 0) fprintf(file, "[%d]", buffer->copy);
      if (argument->offset) fprintf(file, " + %lld", (long long)argument->offset);
      continue;
    }
    switch (argument->number_kind) {
      case NUMBER_CONSTANT:
        if (launch->function->parameters.items[i].variable->type == TYPE_REAL)
          print_number(file, TYPE_REAL, argument->real);
        else
          fprintf(file, "%lld", (long long)argument->number);
        break;
      case NUMBER_SIZE:
        fprintf(file, "size %lld", (long long)argument->number);
        break;
      case NUMBER_SEED:
        fputs("seed", file);
        break;
      case NUMBER_STEP:
        fputs("step", file);
        break;
    }
  }
  fprintf(file, ")%s%s\n", launch->label ? "  " : "", launch->label ? launch->label : "");
}

void module_print(FILE *file, const struct module *module) {
  fprintf(file, "module %s\n", module->name);
  for (int i = 0; i < module->functions.count; i++) {
    putc('\n', file);
    function_print(file, module->functions.items[i]);
  }
  if (module->buffers.count) fputs("\n# buffers\n", file);
  for (int i = 0; i < module->buffers.count; i++) {
    const struct buffer *buffer = module->buffers.items[i];
    fprintf(
        file, "# %-10s %s %s", buffer_roles[buffer->role],
        buffer->storage == storage_of_type(buffer->type) ? type_names[buffer->type] : storage_names[buffer->storage],
        buffer->name);
    if (buffer->copy >= 0) fprintf(file, "[%d]", buffer->copy);
    if (buffer->role == BUFFER_ACTIVATION) fprintf(file, " at %lld", (long long)buffer->offset);
    fprintf(file, " %s  %s\n", buffer->comment ? buffer->comment : "", buffer->label ? buffer->label : "");
  }
  for (int i = 0; i < module->routines.count; i++) {
    const struct routine *routine = module->routines.items[i];
    fprintf(file, "\n# routine %s: %d launches, %lld bytes of activations\n", routine->name, routine->launches.count,
            (long long)routine->activation_bytes);
    for (int j = 0; j < routine->launches.count; j++) print_launch(file, routine->launches.items[j]);
  }
}
