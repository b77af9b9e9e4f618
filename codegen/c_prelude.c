/* Prints what stands before the functions of a file: includes, definitions and helper functions. */
#include <string.h>

#include "codegen/c_fold.h"
#include "codegen/c_helpers.h"
#include "codegen/c_print.h"
#include "codegen/codegen.h"
#include "codegen/math.h"

/* A helper function that printed code may call. */
struct candidate {
  const char *name, *comment, *head, *body;
  bool is_line; /* the body is one statement, which goes on the function's line where it fits */
  struct uses uses;
  bool wanted;
};

struct prelude {
  struct c_printer *printer;
  ARRAY(struct candidate) candidates; /* callees before callers */
  struct table by_name;               /* int *: the number of the candidate */
  bool constructs[CONSTRUCT_COUNT];
};

/* --- Candidates ------------------------------------------------------------------------------------------------------------- */

static void add_candidate(struct prelude *prelude, struct candidate candidate) {
  struct arena *arena = prelude->printer->arena;
  int *number = arena_new_struct(arena, int);
  *number = prelude->candidates.count;
  table_set(arena, &prelude->by_name, candidate.name, number);
  array_push(arena, &prelude->candidates, candidate);
}

/* A text of c_helpers.c, with $R and $M(name) replaced by the type of reals and a function of libm. */
static const char *helper_text(struct prelude *prelude, const char *from) {
  struct arena *arena = prelude->printer->arena;
  const struct target *target = prelude->printer->target;
  const char *result = "";
  for (const char *at = strchr(from, '$'); at; at = strchr(from, '$')) {
    result = arena_format(arena, "%s%.*s", result, (int)(at - from), from);
    if (at[1] == 'R') {
      result = arena_format(arena, "%s%s", result, c_type(prelude->printer, TYPE_REAL));
      from = at + 2;
    } else if (at[1] == 'M') {
      const char *name = at + 3;
      int length = (int)strcspn(name, ")");
      result = arena_format(arena, "%s%.*s%s", result, length, name, target->double_precision ? "" : "f");
      from = name + length + 1;
    } else {
      bug("a helper has an unknown $%c", at[1]);
    }
  }
  return arena_format(arena, "%s%s", result, from);
}

static void add_helpers(struct prelude *prelude) {
  const struct helper *helper;
  for (int i = 0; (helper = helper_at(i)) != NULL; i++) {
    if (helper->target && !target_takes(prelude->printer->target, helper->target, NULL)) continue;
    struct candidate candidate = {.name = helper->name, .comment = helper->comment};
    candidate.head = helper_text(prelude, helper->head);
    candidate.body = helper_text(prelude, helper->body);
    candidate.is_line = !strchr(helper->body, '\n');
    uses_add_text(prelude->printer->arena, &candidate.uses, candidate.body);
    add_candidate(prelude, candidate);
  }
}

static void add_folds(struct prelude *prelude) {
  struct fold_function fold;
  for (int i = 0; fold_function_at(prelude->printer, i, &fold); i++)
    add_candidate(prelude, (struct candidate){fold.name, fold.comment, fold.head, fold.body, .uses = fold.uses});
}

static void add_formulas(struct prelude *prelude) {
  const struct c_printer *printer = prelude->printer;
  const struct formula *formula;
  if (printer->target->double_precision) return;
  for (int i = 0; (formula = formula_at(i)) != NULL; i++) {
    for (int lanes = 0; lanes <= printer->target->simd; lanes++) {
      struct candidate candidate = {.name = formula_name(printer->arena, formula, lanes)};
      if (!lanes) candidate.comment = formula_comment(formula);
      formula_print(printer->arena, printer->target, printer->simd, formula, lanes, &candidate.uses, &candidate.head,
                    &candidate.body);
      add_candidate(prelude, candidate);
    }
  }
}

/* --- Choice ----------------------------------------------------------------------------------------------------------------- */

static void want(struct prelude *prelude, const struct uses *uses) {
  const struct dialect *dialect = prelude->printer->dialect;
  for (int i = 0; i < uses->names.count; i++) {
    const char *name = uses->names.items[i];
    enum header header = header_of(name);
    if (header != HEADER_COUNT) prelude->printer->headers[header] = true;
    for (int j = 0; j < CONSTRUCT_COUNT; j++)
      if (!strcmp(name, dialect->constructs[j])) prelude->constructs[j] = true;
    const int *number = table_find(&prelude->by_name, name);
    if (!number || prelude->candidates.items[*number].wanted) continue;
    prelude->candidates.items[*number].wanted = true;
    want(prelude, &prelude->candidates.items[*number].uses);
  }
}

static struct prelude prelude_of(struct c_printer *printer) {
  struct prelude prelude = {.printer = printer};
  printer->headers[HEADER_VECTORS] = printer->target->simd;
  printer->headers[HEADER_INTEGERS] = true;
  add_helpers(&prelude);
  add_folds(&prelude);
  add_formulas(&prelude);
  want(&prelude, &printer->uses);
  return prelude;
}

/* --- Printing ----------------------------------------------------------------------------------------------------------------- */

static bool is_used(const void *context, const char *feature) {
  const struct prelude *prelude = context;
  const struct uses *uses = &prelude->printer->uses;
  for (int i = -1; i < prelude->candidates.count; i++) {
    if (i >= 0 && !prelude->candidates.items[i].wanted) continue;
    if (i >= 0) uses = &prelude->candidates.items[i].uses;
    for (int j = 0; j < uses->names.count; j++)
      if (*uses->names.items[j] == '+' && !strcmp(uses->names.items[j] + 1, feature)) return true;
  }
  return false;
}

const struct target *c_target_used(struct c_printer *printer) {
  const struct prelude prelude = prelude_of(printer);
  return target_reduced(printer->arena, printer->target, is_used, &prelude);
}

static void print_candidate(struct text *text, const char *linkage, const struct candidate *candidate) {
  const char *line = arena_format(text->arena, "%s%s { %s }", linkage, candidate->head, candidate->body);
  if (candidate->is_line && strlen(line) <= TEXT_COLUMNS) {
    text_line(text, "%s", line);
    return;
  }
  text_open(text, "%s%s", linkage, candidate->head);
  if (candidate->is_line)
    text_line(text, "%s", candidate->body);
  else
    text_raw(text, candidate->body);
  text_close(text);
}

const char *c_prelude(struct c_printer *printer) {
  const struct dialect *dialect = printer->dialect;
  struct prelude prelude = prelude_of(printer);
  struct text *text = text_new(printer->arena);
  if (printer->headers[HEADER_VECTORS]) text_line(text, "#include <%s>", printer->target->vector_header);
  if (printer->gathers) text_raw(text, dialect->gather_rule);
  for (int i = 0; i < HEADER_COUNT; i++)
    if (printer->headers[i] && dialect->headers[i]) text_line(text, "%s", dialect->headers[i]);
  text_blank(text);
  dialect->print_definitions(text, target_reduced(printer->arena, printer->target, is_used, &prelude),
                             prelude.constructs);
  text_blank(text);
  const char *linkage =
      arena_format(printer->arena, "%s%s", printer->target->attribute ? dialect->vectorised : "", dialect->inlined);
  const char *comment = NULL;
  for (int i = 0; i < prelude.candidates.count; i++) {
    const struct candidate *candidate = &prelude.candidates.items[i];
    if (!candidate->wanted) continue;
    const bool is_said = comment && candidate->comment && !strcmp(comment, candidate->comment);
    if (candidate->comment && !is_said) text_comment(text, candidate->comment);
    comment = candidate->comment;
    print_candidate(text, linkage, candidate);
    text_blank(text);
  }
  return text_string(text);
}

const char *emit_functions(struct arena *arena, const struct module *module, const struct target *target) {
  struct c_printer *printer = c_printer_new(arena, target);
  for (int i = 0; i < module->functions.count; i++) c_print_prototype(printer, module->functions.items[i], false);
  for (int i = 0; i < module->functions.count; i++) {
    text_blank(printer->text);
    c_print_function(printer, module->functions.items[i], false);
  }
  struct text *rules = text_new(arena);
  printer->dialect->print_rules(rules);
  return arena_format(arena, "%s%s%s", text_string(rules), c_prelude(printer), text_string(printer->text));
}
